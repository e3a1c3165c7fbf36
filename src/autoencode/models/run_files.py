"""The content of `run.json`, the log and the metrics of a run, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from autoencode.arguments import Seed, Within, check_value
from autoencode.contract import Width
from autoencode.errors import RecipeError, RunError
from autoencode.io.store import FORMAT, read_json, read_lines

_Natural = Annotated[int, Within(0, 10**12)]
_Number = int | float
# Entries of metrics.json that are objects of such values; they are in every file but the last.
_OBJECTS: Mapping[str, Any] = {
    "terms": _Number,
    "units": str,
    "notes": str,
    "intervals": list[_Number],
    "left_out": str,
}
# Metrics that are lists; all others are numbers.
_LISTS: Mapping[str, Any] = {
    **dict.fromkeys(("numeric_columns", "categorical_columns", "worst_names"), str),
    **dict.fromkeys(("best_examples", "worst_examples"), _Natural),
    **dict.fromkeys(("r2_per_column", "r2_per_column_of_pca", "accuracy_per_column"), _Number),
    **dict.fromkeys(("majority_share_per_column", "kl_per_dimension", "worst_errors"), _Number),
    "squared_error_by_class": _Number,
}
# A metric and those that are always measured with it.
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "squared_error": ("squared_error_per_pixel",),
    "squared_error_by_class": ("squared_error",),
    "restored_squared_error": ("corrupted_squared_error",),
    "active_per_example": ("active_share",),
    "imputation": ("imputation_of_mean",),
    "numeric_columns": ("r2_per_column",),
    "r2_per_column_of_pca": ("numeric_columns", "pca_dimensions"),
    "categorical_columns": ("accuracy_per_column", "majority_share_per_column"),
    "column_accuracy": ("categorical_columns",),
    "worst_examples": ("worst_names", "worst_errors"),
}


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a training log, up to one that is incomplete or damaged; none without a file.

    Raises:
        RunError: the file cannot be read.
    """
    found = []
    for line in read_lines(path):
        try:
            _check_line(line)
        except RunError:
            break
        found.append(line)
    return found


def _check_line(line: Mapping[str, Any]) -> None:
    check_value(line.get("step"), _Natural, "step", RunError)
    validated = "validation" in line
    values = line["validation"] if validated else line
    check_value(values, dict, "validation", RunError)
    names = ("loss", "squared_error")
    for name in names if validated else (*names, "seconds", "images_per_second"):
        # NaN and infinity, too: they may be what was measured.
        if not isinstance(values.get(name), float):
            check_value(values.get(name), _Number, name, RunError)
    check_value(values.get("terms"), dict, "terms", RunError)
    for name, value in values["terms"].items():
        if not isinstance(value, float):
            check_value(value, _Number, f"terms.{name}", RunError)


def read_metrics(path: Path) -> dict[str, Any] | None:
    """The content of `metrics.json`, see `Evaluation.to_dict`; None if there is no such file.

    Raises:
        RunError: it cannot be read, or its entries are not those of an evaluation.
    """
    if not path.exists():
        return None
    fix = f"Measure the run again: autoencode evaluate {path.parent}"
    try:
        metrics = read_json(path)
    except RunError as error:
        raise RunError(error.what, fix) from error
    try:
        _check_metrics(metrics)
    except RunError as error:
        raise RunError(f"{path} is not valid: {error.what}", fix) from error
    return metrics


def _check_metrics(metrics: Mapping[str, Any]) -> None:
    check_value(metrics.get("n_test"), _Natural, "n_test", RunError)
    check_value(metrics.get("data"), str, "data", RunError)
    for name, kind in _OBJECTS.items():
        values = metrics.get(name, {} if name == "left_out" else None)
        check_value(values, dict, name, RunError)
        for key, value in values.items():
            check_value(value, kind, f"{name}.{key}", RunError)
    for name, ends in metrics["intervals"].items():
        if len(ends) != 2:
            raise RunError(f"intervals.{name} must be two numbers")
    for name in metrics.keys() - _OBJECTS.keys() - {"data"}:
        kind = list[_LISTS[name]] if name in _LISTS else _Number  # type: ignore[valid-type]
        check_value(metrics[name], kind, name, RunError)
        for other in _TOGETHER.get(name, ()):
            if other not in metrics:
                raise RunError(f"{other} is missing, and {name} is there")
            if name in _LISTS and other in _LISTS and len(metrics[name]) != len(metrics[other]):
                raise RunError(f"{name} and {other} are of different lengths")


# Types of the entries of run.json; a mapping stands for an object with these keys.
_RECORD: Mapping[str, Any] = {
    "format": Annotated[int, Within(1, FORMAT)],
    "sizes": {
        "x": tuple[Width, ...],
        "z": tuple[Width, ...],
        "context": _Natural,
        "n": _Natural,
        "labelled": Annotated[float, Within(0.0, 1.0)] | None,
        "bounded": bool,
    },
    "status": Literal["running", "done", "interrupted", "diverged"],
    "data": {
        "name": str,
        "source": str,
        "options": dict,
        "fingerprint": str,
        "classes": list[str],
        "preprocessing": dict[str, Any] | None,
    },
    "settings": dict,
    "summary": {
        "steps": _Natural,
        "epochs": float,
        "seconds": float,
        "images_per_second": float,
        "device": str,
        "precision": str,
        "compiling_seconds": float,
    },
    "network_sha256": str | None,
}


# Entries that files of older versions lack.
_OPTIONAL = ("labelled", "bounded", "network_sha256", "compiling_seconds", "preprocessing")


def check_record(record: Mapping[str, Any]) -> None:
    """Checks the content of `run.json`.

    Raises:
        RecipeError: an entry is missing, unknown, or of a wrong type or out of range.
    """
    _check_record(record, _RECORD, "")
    for where, values in (
        ("settings", record["settings"]),
        ("data.options", record["data"]["options"]),
    ):
        check_value(values.get("seed", 0), Seed, f"{where}.seed")


def _check_record(given: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    for name in given:
        if name not in kinds:
            raise RecipeError(f"{where}{name} is unknown")
    for name, kind in kinds.items():
        if name not in given:
            if name in _OPTIONAL:
                continue
            raise RecipeError(f"{where}{name} is missing")
        if isinstance(kind, Mapping):
            check_value(given[name], dict, f"{where}{name}")
            _check_record(given[name], kind, f"{where}{name}.")
        else:
            check_value(given[name], kind, f"{where}{name}")
