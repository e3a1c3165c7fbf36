"""Groups of examples, such as the images of one patient, that stay in one part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from autoencode.data.raw import RawData
from autoencode.errors import DataError


def grouped(raw: RawData, pattern: str) -> RawData:
    """The data with the group of each example, by a regular expression on its name.

    The group is what the first pair of parentheses matches, without any the complete match.

    Raises:
        DataError: the examples have no names, or the pattern does not match one.
    """
    if raw.groups:
        return raw  # a column of a table
    groups = {}
    for part in raw.parts:
        names = raw.names.get(part)
        if names is None:
            raise DataError(
                f"group is {pattern!r}, but these examples have no names",
                "Leave it out; groups need files of images or a table.",
            )
        found = [re.search(pattern, name) for name in names]
        texts = [each and (each[1] if each.re.groups else each[0]) for each in found]
        lacking = [name for name, text in zip(names, texts, strict=True) if text is None]
        if lacking:
            raise DataError(
                f"The regular expression {pattern!r} of --group does not match {len(lacking):,} of "
                f"{len(names):,} names, such as {lacking[0]}",
                "Give one that matches all, such as --group '^[^_]+' (group='^[^_]+') for what is "
                "before the first underscore.",
            )
        groups[part] = np.array(texts)
    return replace(raw, groups=groups)


def group_notices(
    groups: Mapping[str, np.ndarray], rows: Mapping[str, tuple[str, np.ndarray | None]]
) -> list[str]:
    """The number of groups of each part, and those that are in the training part and another."""
    found = {
        part: {*np.unique(groups[origin] if at is None else groups[origin][at]).tolist()}
        for part, (origin, at) in rows.items()
        if origin in groups
    }
    if not found:
        return []
    total = len(set.union(*found.values()))
    listed = ", ".join(f"{len(names):,} in {part}" for part, names in found.items())
    notices = [f"The parts keep groups together: of {total:,} groups, {listed}."]
    shared = {part: sorted(found["train"] & found[part]) for part in found if part != "train"}
    return notices + [
        f"{len(names):,} groups are in the training and in the {part} part, such as {names[0]}, so "
        f"metrics on the {part} part are too optimistic."
        for part, names in shared.items()
        if names
    ]
