"""Checks of metrics that are read from files: types, ranges, lengths, and what belongs together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from autoencode.arguments import Share, Within, check_value
from autoencode.errors import RunError
from autoencode.evaluation.metric_info import metric_info
from autoencode.evaluation.records import TERM_PREFIX, Record
from autoencode.io.store import read_json
from autoencode.models.run import Run

Positions = list[Annotated[int, Within(0, 10**12)]]
Errors = list[Annotated[float, Within(0.0, 1e300)]]
Count = Annotated[int, Within(0, 10**12)]
# Types of metrics that are more than a finite number.
KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("best_examples", "worst_examples"), Positions),
    **dict.fromkeys(("worst_errors", "squared_error_by_class"), Errors),
    **dict.fromkeys(("kl_per_dimension", "r2_per_column", "r2_per_column_of_pca"), list[float]),
    **dict.fromkeys(("accuracy_per_column", "majority_share_per_column"), list[Share]),
    **dict.fromkeys(("worst_names", "numeric_columns", "categorical_columns"), list[str]),
    **dict.fromkeys(("n_test", "pca_dimensions"), Count),
    **dict.fromkeys(
        ("squared_error", "squared_error_per_pixel", "squared_error_of_pca", "imputation"),
        Annotated[float, Within(0.0, 1e300)],
    ),
}
# Metrics that are only there together; those that are lists have one length.
TOGETHER = (
    ("squared_error", "squared_error_per_pixel"),
    ("restored_squared_error", "corrupted_squared_error"),
    ("active_per_example", "active_share"),
    ("imputation", "imputation_of_mean"),
    ("worst_examples", "worst_names", "worst_errors"),
    ("numeric_columns", "r2_per_column"),
    (
        "column_accuracy",
        "categorical_columns",
        "accuracy_per_column",
        "majority_share_per_column",
    ),
    ("squared_error_of_pca", "pca_dimensions"),
)
# A metric that needs another one.
NEEDS = {"squared_error_by_class": "squared_error", "r2_per_column_of_pca": "pca_dimensions"}
# Metrics of two measures, which are of one length where both are there.
ALIKE = ("numeric_columns", "r2_per_column_of_pca")


def check_records(records: Sequence[Record], n_test: int, latent: int, classes: int) -> None:
    """Refuses records that cannot be those of a model and its test part.

    n_test, latent, classes: the number of test examples, latent dimensions and classes.

    Raises:
        RunError: with a phrase that says what is wrong.
    """
    for record in records:
        each = record.per_example
        if each is not None and each.shape != (n_test,):
            raise RunError(f"{record.name} has values of {each.numel():,} examples")
        if each is not None and int(each.isfinite().sum()) != record.n:
            raise RunError(f"{record.name} has not the values of {record.n:,} examples")
    values = {r.name: list(r.value) if isinstance(r.value, tuple) else r.value for r in records}
    _check(values, n_test, latent, classes)


def read_metrics(run: Run, n_test: int | None = None) -> dict[str, Any] | None:
    """The content of `metrics.json` of a run; None before the first evaluation.

    n_test: the number of test examples, where the data are there.

    Raises:
        RunError: the file cannot be read, or is not what an evaluation of this run writes.
    """
    path = run.folder / "metrics.json"
    if not path.exists():
        return None
    try:
        metrics = read_json(path)
        _check_file(metrics, n_test, run)
    except RunError as error:
        what = error.what if str(path) in error.what else f"{path} is not valid: {error.what}"
        raise RunError(what, f"Measure again: autoencode evaluate {run.folder}") from error
    return metrics


def _check_file(metrics: Mapping[str, Any], n_test: int | None, run: Run) -> None:
    of_all = {"data": str, "terms": dict, "units": dict, "notes": dict, "intervals": dict}
    for name, kind in {"n_test": Count, **of_all}.items():
        check_value(metrics.get(name), kind, name, RunError)
    if n_test is not None and metrics["n_test"] != n_test:
        raise RunError(f"n_test is {metrics['n_test']:,}, and there are {n_test:,} test examples")
    terms = {f"{TERM_PREFIX}{name}": value for name, value in metrics["terms"].items()}
    rest = {k: v for k, v in metrics.items() if k not in of_all and k not in ("left_out", "n_test")}
    check_value(metrics.get("left_out", {}), dict, "left_out", RunError)
    values = {**rest, **terms}
    _check(values, metrics["n_test"], run.sizes.latent, len(run.data["classes"]))
    for name in values:
        check_value(metrics["units"].get(name), str, f"units.{name}", RunError)
        check_value(metrics["notes"].get(name), str, f"notes.{name}", RunError)
    for name, ends in metrics["intervals"].items():
        check_value(ends, list[float], f"intervals.{name}", RunError)
        if len(ends) != 2 or ends[0] > ends[1]:
            raise RunError(f"intervals.{name} must be a lower and an upper end, and is {ends}")
    for name, reason in metrics.get("left_out", {}).items():
        check_value(reason, str, f"left_out.{name}", RunError)


def _check(values: Mapping[str, Any], n_test: int, latent: int, classes: int) -> None:
    for name, value in values.items():
        kind = KINDS.get(name, Share if metric_info(name).share else float)
        check_value(value, kind, name, RunError)
    lengths = {"kl_per_dimension": latent, "squared_error_by_class": classes}
    for name in values.keys() & lengths.keys():
        if len(values[name]) != lengths[name]:
            raise RunError(f"{name} has {len(values[name]):,} numbers, and not {lengths[name]:,}")
    for name in ("best_examples", "worst_examples"):
        if not all(position < n_test for position in values.get(name, ())):
            raise RunError(f"{name} has positions beyond the {n_test:,} test examples")
    for group in _groups(values):
        if missing := [name for name in group if name not in values]:
            raise RunError(f"{missing[0]} is missing")
        if len({len(values[n]) for n in group if isinstance(values[n], list)}) > 1:
            raise RunError(f"{' and '.join(group)} have different lengths")


def _groups(values: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The metrics that must be there together."""
    yield from (group for group in TOGETHER if any(name in values for name in group))
    yield from (pair for pair in NEEDS.items() if pair[0] in values)
    if all(name in values for name in ALIKE):
        yield ALIKE
