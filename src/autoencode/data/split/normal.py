"""Training on some classes only, as for the detection of anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autoencode.errors import DataError, did_you_mean

# Part -> the part of the source that its examples come from, and their positions, None for all.
Rows = Mapping[str, tuple[str, np.ndarray | None]]


def only_normal(
    rows: Rows, y: Mapping[str, np.ndarray] | None, classes: Sequence[str], normal: Sequence[str]
) -> tuple[dict[str, tuple[str, np.ndarray | None]], list[str]]:
    """Keep the normal classes in the training and validation part, and notices.

    Examples of other classes, and without a label, are left out of both parts; of a source without
    a test part of its own they join the test part.

    Raises:
        DataError: there are no labels, no such class, or too few examples of it.
    """
    if y is None:
        raise DataError(
            "normal is given, but the data have no labels",
            "Give them (--labels FILE, --label COLUMN), or leave out --normal.",
        )
    for name in normal:
        if name not in classes:
            raise DataError(f'normal: there is no class "{name}"', did_you_mean(name, classes))
    wanted = [classes.index(name) for name in normal]
    found, others = dict(rows), list[np.ndarray]()
    for part in ("train", "validation"):
        origin, positions = rows[part]
        all_of_it = np.arange(len(y[origin])) if positions is None else positions
        good = np.isin(y[origin][all_of_it], wanted)
        if good.sum() < (2 if part == "train" else 1):
            raise DataError(
                f"The {part} part has {good.sum()} examples of {', '.join(normal)}",
                "Give more of them, or other classes.",
            )
        found[part] = origin, all_of_it[good]
        if origin == rows["test"][0]:
            others.append(all_of_it[~good])
    names = ", ".join(normal)
    counts = {part: len(found[part][1]) for part in ("train", "validation")}  # type: ignore[arg-type]  # no None
    text = (
        f"Only {names} is learned: {counts['train']:,} training and {counts['validation']:,} "
        "validation examples."
    )
    if others:
        origin, positions = rows["test"]
        assert positions is not None  # the source has no test part of its own
        found["test"] = origin, np.sort(np.concatenate([positions, *others]))
        text += f" All {sum(map(len, others)):,} others are kept for testing."
    else:
        text += " The test part is that of the source, with all classes."
    return found, [text]
