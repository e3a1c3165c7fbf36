"""Suspicions about the columns of a table, each stated in one line and acted on by the user."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

import numpy as np

from autoencode.data.options import Options
from autoencode.data.preprocessing import Column

# A column with a value so many standard deviations from its mean has a heavy tail.
MAX_DEVIATIONS = 20.0
MAX_CLASSES = 20
MAX_RATIO = 1000.0  # of the spreads of columns that are not scaled
LABELS = ("label", "labels", "class", "classes", "target", "y", "species", "outcome", "diagnosis")
_IDENTIFIER = re.compile(r"(?i:(.*[_ ])?(id|index|number|no|nr|key))|.*[a-z]I[Dd]")


def of_columns(
    columns: Sequence[Column], values: Sequence[np.ndarray], options: Options, rows: Sequence[str]
) -> list[str]:
    """Notices of identifiers, values that may mean missing, and heavy tails."""
    numeric = [(c.name, x) for c, x in zip(columns, values, strict=True) if c.kind == "numeric"]
    notices, spreads = [], {}
    for name, x in numeric:
        present = x[~np.isnan(x)]
        if options.id is None and _is_identifier(name, present):
            notices.append(
                f"Column {name} has a different whole number in every row and may name the rows: "
                f"give --id {shlex.quote(name)} (id={name!r})."
            )
            continue
        for value, count in _sentinels(present):
            notices.append(
                f"Column {name} has the value {value:g} in {count:,} rows, far from all others, "
                "which may mean missing. If so, leave these cells empty."
            )
        if options.scale in (None, "standard", "minmax") and (far := _deviations(x)) is not None:
            row, deviations = far
            notices.append(
                f"Column {name} has a value {deviations:.0f} standard deviations from its mean "
                f"({x[row]:.6g} in {rows[row]}), so its other values become similar. "
                "--scale robust (scale='robust') scales by the quartiles."
            )
        spreads[name] = float(present.std())
    positive = {name: spread for name, spread in spreads.items() if spread > 0}
    if options.scale == "none" and len(positive) > 1:
        low, high = min(positive, key=positive.__getitem__), max(positive, key=positive.__getitem__)
        if positive[high] > MAX_RATIO * positive[low]:
            notices.append(
                f"The columns are not scaled, and {high} has a spread of {positive[high]:.3g} and "
                f"{low} of {positive[low]:.3g}, so the model mostly learns {high}. "
                "--scale standard (scale='standard') gives all one spread."
            )
    return notices


def of_label(columns: Sequence[Column], values: Sequence[np.ndarray]) -> list[str]:
    """A notice of a column that may be the label, by its name, or at either end of the table."""
    if len(columns) < 2:
        return []
    both = list(zip(columns, values, strict=True))
    named = [(c, x) for c, x in both if c.name.lower() in LABELS]
    for column, x in [*named, both[-1], both[0]]:
        present = x[~np.isnan(x)]
        count = len(np.unique(present))
        few = 2 <= count <= MAX_CLASSES and len(present) >= 5 * count
        if (present % 1 == 0).all() and (few or (named and 2 <= count <= len(present) // 2)):
            return [
                f"Column {column.name} has {count} different values and may be the label: give "
                f"--label {shlex.quote(column.name)} (label={column.name!r})."
            ]
    return []


def _is_identifier(name: str, x: np.ndarray) -> bool:
    if len(x) < 3 or (x % 1 != 0).any() or len(np.unique(x)) < len(x):
        return False
    return bool(_IDENTIFIER.fullmatch(name)) or bool((np.diff(x) == 1).all())


def _sentinels(x: np.ndarray) -> Iterator[tuple[float, int]]:
    """Values such as −999 in several cells, farther from the others than these are apart."""
    found, counts = np.unique(x, return_counts=True)
    if len(found) < 3:
        return
    for i, others in ((0, found[1:]), (len(found) - 1, found[:-1])):
        value = abs(found[i])
        is_nines = value >= 9 and re.fullmatch(r"9+(\.0+)?", f"{value:.1f}") is not None
        gap = np.abs(others - found[i]).min()
        if is_nines and counts[i] > 1 and gap > others[-1] - others[0]:
            yield float(found[i]), int(counts[i])


def _deviations(x: np.ndarray) -> tuple[int, float] | None:
    """The row farthest from the mean, in standard deviations, if it is very far.

    In n values none is farther than √(n − 1), so fewer deviations are far in a small table.
    """
    present = x[~np.isnan(x)]
    largest = np.abs(present).max(initial=0.0)
    if len(present) < 30 or not largest:
        return None
    x, present = x / largest, present / largest  # squares of large numbers would be infinite
    low, high = np.percentile(present, (25, 75))
    if low == high or not present.std():
        return None
    away = np.abs(x - present.mean()) / present.std()
    row = int(np.nanargmax(away))
    limit = min(MAX_DEVIATIONS, np.sqrt(len(present)) / 1.5)
    return (row, float(away[row])) if away[row] > limit else None
