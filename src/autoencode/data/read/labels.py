"""Labels from files of their own: arrays in the order of the examples, or tables by file name."""

from __future__ import annotations

import csv
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoencode.data.options import ReadOptions
from autoencode.data.raw import RawData
from autoencode.data.read.idx import read_idx
from autoencode.data.read.image import ENDINGS
from autoencode.data.read.keys import LABELS
from autoencode.data.read.names import natural_key
from autoencode.data.read.npy import MAGIC, read_npy, read_npz_labels
from autoencode.data.split.labels import is_unknown
from autoencode.errors import DataError
from autoencode.io.files import open_regular, shown

TABLE_ENDINGS = (".csv", ".tsv", ".txt")
# Names of columns in lower case, without spaces and underscores.
FILES = frozenset(["file", "filename", "filepath", "fname", "name", "path", "id", "image", "img"])
FILES |= {"images", "imageid", "imagename", "imagepath", "imagefile", "imgname", "imgpath"}
CLASSES = LABELS - {"y"} | {"category", "classname", "labelname", "species", "diagnosis"}
# How a file may be named in a table, in the order in which it is tried.
_WAYS: Mapping[str, Callable[[str], str]] = {
    "path": lambda text: text.replace("\\", "/").removeprefix("./"),
    "file name": lambda text: text.replace("\\", "/").rpartition("/")[2],
    "file name without ending": lambda text: _stem(text.replace("\\", "/").rpartition("/")[2]),
}


def is_label_table(labels: Any) -> bool:
    """Whether labels are the path of a table, by its ending."""
    return isinstance(labels, str | Path) and Path(labels).suffix.lower() in TABLE_ENDINGS


def read_array(path: Path) -> np.ndarray:
    """The array of an .npy, IDX or .npz file, of the latter the labels.

    Raises:
        DataError: it is none of these, or damaged.
    """
    with open_regular(path) as file:
        head = file.read(len(MAGIC))
    if path.suffix.lower() == ".npy" or head == MAGIC:
        return read_npy(path)
    is_npz = head[:2] == b"PK" and zipfile.is_zipfile(path)
    return read_npz_labels(path) if is_npz else read_idx(path)


def with_labels(raw: RawData, labels: Any, path: Path | None, options: ReadOptions) -> RawData:
    """The data with labels of their own, of an array or of the table at a path.

    Raises:
        DataError: the labels are not those of these examples.
    """
    notices = list(raw.notices)
    if any(y is not None for _, y in raw.parts.values()):
        notices.append("The given labels replace the labels of the source.")
    if path is not None and is_label_table(path):
        rows, more = _rows(path, options, raw)
        if rows is not None:
            return _by_name(raw, rows, path, [*notices, *more])
        labels, notices = more, notices
        notices.append(f"The labels of {shown(path)} are in the order of the examples.")
    if list(raw.parts) != ["all"]:
        raise DataError(
            f"labels were given, but the source is already divided into {', '.join(raw.parts)}",
            "For files of images, give a .csv with the columns file and label. Separate labels "
            "need an undivided source; leave them out.",
        )
    names = raw.names.get("all")
    if raw.image_files and names:
        notices.append(
            f"The labels are given to the files in natural order, from {names[0]} to {names[-1]}."
        )
    return replace(
        raw, parts={"all": (raw.parts["all"][0], labels)}, classes=(), notices=tuple(notices)
    )


def _rows(
    path: Path, options: ReadOptions, raw: RawData
) -> tuple[list[tuple[str, str]] | None, list[str]]:
    """File and label of each row, and notices; None and the labels if the table has no files."""
    table = _table(path)
    head = [cell.strip() for cell in table[0]]
    file = _column(head, options.id, FILES, "--id", path)
    label = _column(head, options.label, CLASSES, "--label", path)
    notices, start = [], 1
    if len(head) == 1 and file is None:
        label = 0
        is_label = not raw.names and head[0].lower() not in CLASSES and options.label is None
        return None, [row[0].strip() for row in table[int(not is_label) :]]
    if len(head) == 2 and (file is None or label is None):
        if file is None:
            file = 0 if label is None else 1 - label
        label = 1 - file
        known = {
            way(name) for part in raw.names.values() for name in part for way in _WAYS.values()
        }
        start = 0 if file == 0 and head[0] in known else 1
        what = "has no header; its first column is" if start == 0 else f"column {head[file]} is"
        notices.append(f"{shown(path.name)}: {what} the file, and the other one the label.")
    if file is None or label is None:
        missing = "file" if file is None else "label"
        flag = "--id" if file is None else "--label"
        raise DataError(
            f"{shown(path)} has the columns {', '.join(map(shown, head))}, and which one is the "
            f"{missing} is not clear",
            f"Name it: {flag} COLUMN ({flag[2:]}='COLUMN').",
        )
    return [(row[file].strip(), row[label].strip()) for row in table[start:]], notices


def _table(path: Path) -> list[list[str]]:
    """The rows of a table, separated by commas, semicolons or tabs, all of one length."""
    with open_regular(path) as opened:
        try:
            text = opened.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{shown(path)} is not UTF-8: {error}", "Save it as UTF-8.") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        table = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise DataError(f"{shown(path)} is no table: {error}", "Save it as .csv.") from error
    if not table:
        raise DataError(f"{shown(path)} is empty", "Give a row for each file.")
    for i, row in enumerate(table):
        if len(row) != len(table[0]):
            raise DataError(
                f"{shown(path)}: row {i + 1} has {len(row)} cells, and the first has "
                f"{len(table[0])}",
                "Correct it; put cells that contain the separator in quotes.",
            )
    return table


def _column(
    head: Sequence[str], given: str | None, known: frozenset[str], flag: str, path: Path
) -> int | None:
    """The position of a column, given or by its usual names; None if it is not clear."""
    if given is not None:
        if given not in head:
            raise DataError(
                f"{shown(path)} has no column {shown(given)}",
                f"Its columns are {', '.join(map(shown, head))}: {flag} COLUMN.",
            )
        return head.index(given)
    found = [i for i, name in enumerate(head) if re.sub(r"[\W_]", "", name.lower()) in known]
    return found[0] if len(found) == 1 else None


def _by_name(raw: RawData, rows: list[tuple[str, str]], path: Path, notices: list[str]) -> RawData:
    """The data with the labels of the rows, matched by the names of the files."""
    names = [name for part in raw.parts for name in raw.names.get(part, ())]
    if not names:
        raise DataError(
            f"{shown(path)} has labels by file, and these examples have no names",
            "Give labels in the order of the examples: an .npy file, or a .csv with one column.",
        )
    way, of_name = _best_way(rows, names)
    table: dict[str, str] = {}
    for file, label in rows:
        if table.setdefault(way(file), label) != label:
            raise DataError(
                f"{shown(path)} has two labels for {shown(file)}: {table[way(file)]} and {label}",
                "Correct one of them.",
            )
    keys = [way(name) for name in names]
    doubled = [key for key, count in Counter(keys).items() if count > 1]
    if doubled:
        raise DataError(
            f"{len(doubled):,} names of {shown(path)} are those of several files, such as "
            f"{shown(doubled[0])}",
            f"Write the paths of the files, such as {names[keys.index(doubled[0])]}.",
        )
    lacking = [name for name, key in zip(names, keys, strict=True) if key not in table]
    # Files that cannot be used have no example.
    skipped = {way(bad.path) for bad in raw.bad} | {os.path.basename(bad.path) for bad in raw.bad}
    known = {*keys, *skipped}
    unused = [file for file, _ in rows if way(file) not in known]
    if raw.bad:
        unused = [f for f in unused if not any(b.path.endswith(f"/{way(f)}") for b in raw.bad)]
    if lacking or unused:
        problems = []
        if lacking:
            problems.append(
                f"{len(lacking):,} of {len(names):,} files have no row: {_some(lacking)}"
            )
        if unused:
            problems.append(f"{len(unused):,} of {len(rows):,} rows have no file: {_some(unused)}")
        fixes = ["Add their rows; leave the label empty where it is unknown."] * bool(lacking)
        fixes += ["Remove these rows, or give the folder with their files."] * bool(unused)
        raise DataError(f"{shown(path)}: {'; '.join(problems)}", " ".join(fixes))
    values = [table[key] for key in keys]
    classes = sorted({v for v in values if not is_unknown(v)}, key=natural_key)
    number = {name: i for i, name in enumerate(classes)}
    parts, start = {}, 0
    for part, (x, _) in raw.parts.items():
        own = values[start : start + len(x)]
        parts[part] = x, np.array([number.get(value, -1) for value in own], np.int64)
        start += len(x)
    notices.append(f"The labels of {shown(path.name)} were matched by {of_name}.")
    return replace(raw, parts=parts, classes=tuple(map(shown, classes)), notices=tuple(notices))


def _best_way(
    rows: list[tuple[str, str]], names: Sequence[str]
) -> tuple[Callable[[str], str], str]:
    """How the rows name the files: the way in which most of them do."""
    matches = {
        what: len({way(name) for name in names} & {way(file) for file, _ in rows})
        for what, way in _WAYS.items()
    }
    best = max(matches, key=lambda what: matches[what])
    return _WAYS[best], best


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:3])) + (" …" if len(names) > 3 else "")


def _stem(name: str) -> str:
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in ENDINGS else name
