"""The lines of a training log, `log.jsonl`, and what each must hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from autoencode.arguments import Within, check_value
from autoencode.errors import RunError
from autoencode.io.store import read_lines

# Numbers of a line of training data besides its values.
_PROGRESS = {
    "epoch": Annotated[float, Within(0.0, 1e12)],
    "seconds": Annotated[float, Within(0.0, 1e12)],
    "images_per_second": Annotated[float, Within(0.0, 1e15)],
    "lr": float,
}


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, without a last line that a kill has cut off; none without a file.

    Values that were measured may be NaN or infinite, as in a training that diverged. A line of
    wrong content is left out with all that follow it, and a warning says so.

    Raises:
        RunError: the file exists but cannot be read.
    """
    lines = read_lines(path)
    for number, line in enumerate(lines):
        try:
            _check(line)
        except RunError as error:
            warnings.warn(
                f"{path}: line {number + 1} is not valid ({error.what}), so it and the lines after "
                "it are left out",
                stacklevel=3,
            )
            return lines[:number]
    return lines


def _check(line: Mapping[str, Any]) -> None:
    """Refuses a line that is neither one of training data nor one of validation data.

    Raises:
        RunError: with a phrase that says what is wrong.
    """
    check_value(line.get("step"), Annotated[int, Within(0, 10**12)], "step", RunError)
    if "validation" in line:
        check_value(line["validation"], dict, "validation", RunError)
        _check_values(line["validation"], "validation.")
    else:
        for name, kind in _PROGRESS.items():
            check_value(line.get(name), kind, name, RunError)
        _check_values(line, "")


def _check_values(values: Mapping[str, Any], where: str) -> None:
    terms = values.get("terms")
    check_value(terms, dict, f"{where}terms", RunError)
    assert isinstance(terms, dict)
    for name, value in _named(values, terms):
        if not isinstance(value, float):  # NaN and infinities are values that were measured
            check_value(value, int, f"{where}{name}", RunError)


def _named(values: Mapping[str, Any], terms: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, values.get(name)) for name in ("loss", "squared_error"))
    yield from ((f"terms.{name}", value) for name, value in terms.items())
