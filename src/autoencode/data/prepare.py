"""From the content of a source to data for training: checked, converted and divided into parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from autoencode.data.arrays import as_array, examples
from autoencode.data.fitting import adapted, fitted, with_channels
from autoencode.data.options import Options
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.records import PARTS, Data, Split, digests, fingerprint
from autoencode.data.split.binarisation import binarised
from autoencode.data.split.groups import group_notices, grouped
from autoencode.data.split.labels import encode, label_notices, match_classes
from autoencode.data.split.normal import only_normal
from autoencode.data.split.splits import draw, split
from autoencode.data.storage import Selection, Storage
from autoencode.errors import DataError
from autoencode.io.files import shown

# Part -> the part of the source that its examples come from, and their positions, None for all.
Rows = dict[str, tuple[str, np.ndarray | None]]


def prepare(
    raw: RawData,
    options: Options,
    name: str,
    source: str,
    storage: Storage,
    given: Preprocessing | None = None,
    *,
    divide: bool = True,
) -> Data:
    """Check values and labels, divide the data into parts, and note every conversion.

    storage: receives the preprocessed examples. A storage that reuses memory overwrites `raw`.
    given: the preprocessing of a trained model, which is used instead of a new one.
    divide: whether to divide the data into parts; if not, all examples become the test part.

    Raises:
        DataError: the data cannot be used as they are.
    """
    try:
        return _prepared(raw, options, name, source, storage, given, divide)
    except DataError as error:
        if source in ("", name):
            raise
        what = f"{shown(source)}: {error.what[0].lower()}{error.what[1:]}"
        raise DataError(what, error.fix) from error


def _prepared(
    raw: RawData,
    options: Options,
    name: str,
    source: str,
    storage: Storage,
    given: Preprocessing | None,
    divide: bool,
) -> Data:
    raw, merged = (raw, []) if divide else _merged(raw)
    if divide and options.group is not None:
        raw = grouped(raw, options.group)
    x, channels_last, axes = _examples(raw, options, given)
    known = () if given is None else given.classes
    y, classes, label_notices = _labels(raw, {part: len(each) for part, each in x.items()}, known)
    rows: Rows = {"test": ("all", None)}
    if divide:
        rows = _rows(x, y, raw.groups, options)
        merged = group_notices(raw.groups, rows)
        if options.normal is not None:
            rows, only = only_normal(rows, y, classes, options.normal)
            merged = [*merged, *only]
    if given is None:
        preprocessing, notices = fitted(x, rows["train"], raw, options, channels_last)
    else:
        changes: list[str] = []
        if raw.image_files:
            for part in x:
                x[part], changes = with_channels(x[part], given.shape)
        preprocessing, notices = adapted(given, x, raw, options, channels_last)
        notices = [*changes, *notices]
    preprocessing = preprocessing.with_classes(classes or known)
    per_example = {
        "context": _vectors(raw),
        "factors": np.stack(list(raw.factors.values()), 1) if raw.factors else None,
    }
    parts = _gathered(x, rows, preprocessing, y, raw.names, per_example, options, storage)
    notices = [*raw.notices, *merged, *axes, *notices, *label_notices]
    if divide and options.validation is not None and "validation" in raw.parts:
        notices.append("The source has its own validation part, so none was drawn.")
    if divide and not raw.verified:
        notices += _overlaps(parts)
    if (method := preprocessing.binarise) is not None:
        parts = binarised(parts, method, options.seed, storage.replace)
    return Data(
        name=name,
        source=source,
        options=options.record(),
        classes=preprocessing.classes,
        fingerprint=fingerprint(parts),
        notices=tuple(notices),
        factors=tuple(raw.factors),
        unordered=raw.unordered,
        preprocessing=preprocessing,
        **parts,
    )


def _merged(raw: RawData) -> tuple[RawData, list[str]]:
    """All parts of a source as one, for data that are not divided."""
    if list(raw.parts) == ["all"]:
        return raw, []
    arrays = {part: as_array(x, f"The {part} part") for part, (x, _) in raw.parts.items()}
    labels = [y for _, y in raw.parts.values()]
    y = None
    if all(each is not None for each in labels):
        y = np.concatenate([as_array(each, "The labels") for each in labels])
    names: dict[str, list[str]] = {}
    if all(raw.names.get(part) is not None for part in arrays):
        names = {"all": [name for part in arrays for name in raw.names[part]]}
    shapes = {part: each.shape[1:] for part, each in arrays.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        raise DataError(f"The parts have examples of different shapes: {listed}", "Give one shape.")
    listed = ", ".join(f"{part} {len(each):,}" for part, each in arrays.items())
    notice = f"All parts of the data are used together: {listed}."
    x = np.concatenate(list(arrays.values()))
    return replace(raw, parts={"all": (x, y)}, names=names, groups={}), [notice]


def _examples(
    raw: RawData, options: Options, given: Preprocessing | None
) -> tuple[dict[str, np.ndarray], bool, list[str]]:
    """The examples of each part, channels first, whether they were last, and notices."""
    last = options.channels_last
    if last is None and given is not None and given.raw_shape and len(given.raw_shape) == 3:
        last = given.channels_last
    arrays, moved, notices = {}, False, list[str]()
    for part, (x, _) in raw.parts.items():
        what = "The data" if part == "all" else f"The {part} part"
        array = as_array(x, what)
        if raw.image_files or raw.columns:
            if options.channels_last is not None:
                raise DataError(
                    "channels_last is given, but the format of the data says where channels are",
                    "Leave out --channels-last or --channels-first (channels_last).",
                )
            arrays[part] = array
            continue
        asked = last if array.ndim == 4 or options.channels_last is not None else None
        arrays[part], moved, found = examples(array, what, asked)
        notices += [notice for notice in found if notice not in notices]
    shapes = {part: x.shape[1:] for part, x in arrays.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        raise DataError(f"The parts have examples of different shapes: {listed}", "Give one shape.")
    return arrays, moved, [] if options.channels_last is None and last is not None else notices


def _labels(
    raw: RawData, lengths: dict[str, int], known: tuple[str, ...]
) -> tuple[dict[str, np.ndarray] | None, tuple[str, ...], list[str]]:
    labels: dict[str, Any] = {part: y for part, (_, y) in raw.parts.items() if y is not None}
    if not labels:
        return None, (), []
    if len(labels) < len(raw.parts):
        notice = f"Only {' and '.join(labels)} have labels, so all labels are left out."
        return None, (), [notice]
    y, classes = encode(labels, lengths, raw.classes)
    if known:
        y, classes = match_classes(y, classes, known), known
    return y, classes, label_notices(y, classes)


def _vectors(raw: RawData) -> np.ndarray | None:
    """The context vectors of an undivided source, float32 [N, C]."""
    if raw.vectors is None:
        return None
    array, n = as_array(raw.vectors, "The vectors"), len(raw.parts["all"][0])
    if array.ndim != 2 or len(array) != n or array.dtype.kind not in "buif":
        raise DataError(
            f"There are {n:,} examples, but the vectors have shape {array.shape} and type "
            f"{array.dtype}",
            f"Give numbers of shape ({n}, C), in the order of the examples.",
        )
    vectors = array.astype(np.float32)
    infinite = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(infinite):
        raise DataError(
            f"{len(infinite):,} of the vectors are not finite, the first of example {infinite[0]}",
            "Correct or remove these examples.",
        )
    return vectors


def _rows(
    x: dict[str, np.ndarray],
    y: dict[str, np.ndarray] | None,
    groups: Mapping[str, np.ndarray],
    options: Options,
) -> Rows:
    """The examples of the three parts; a part that the source lacks is drawn."""
    whole = "all" if "all" in x else "train"
    if whole not in x:
        raise DataError(f"The source has no training part, only {', '.join(x)}", "Add one.")
    drawn = split(
        len(x[whole]),
        None if y is None else y[whole],
        options.seed,
        test="test" not in x,
        validation="validation" not in x,
        wanted=options.validation,
        groups=groups.get(whole),
    )
    found: Rows = {}
    for part in PARTS:
        origin = whole if part in drawn else part
        is_smaller = part in drawn and len(drawn[part]) < len(x[origin])
        found[part] = origin, drawn[part] if is_smaller else None
    return found


def _gathered(
    x: dict[str, np.ndarray],
    rows: Rows,
    preprocessing: Preprocessing,
    y: dict[str, np.ndarray] | None,
    names: Mapping[str, Sequence[str]],
    per_example: dict[str, np.ndarray | None],
    options: Options,
    storage: Storage,
) -> dict[str, Split]:
    """The preprocessed parts; parts without rows are empty.

    per_example: further arrays [N, ...] of an undivided source.
    """
    selections: dict[str, Selection] = {}
    others: dict[str, dict[str, Any]] = {}
    for part, (origin, positions) in rows.items():
        selections[part] = Selection(x[origin], positions)
        arrays = {"y": None if y is None else y[origin], **per_example}
        others[part] = {
            what: None
            if array is None
            else _tensor(array if positions is None else array[positions])
            for what, array in arrays.items()
        }
        own = names.get(origin)
        if own is not None:
            others[part]["names"] = own if positions is None else [own[i] for i in positions]
    if options.labelled is not None and "train" in rows:
        train = others["train"]
        train["y"] = _hidden(train["y"], len(selections["train"]), options.labelled, options.seed)
    examples = storage.gather(selections, preprocessing)
    found = {part: Split(x, **others[part]) for part, x in examples.items()}
    if "train" not in found:
        empty = torch.empty((0, *preprocessing.shape), dtype=found["test"].x.dtype)
        none = None if y is None else torch.empty(0, dtype=torch.int64)
        found = {"train": Split(empty, none), "validation": Split(empty, none), **found}
    return found


def _hidden(y: torch.Tensor | None, n: int, labelled: int, seed: int) -> torch.Tensor:
    """The labels of the training part, −1 for all but `labelled` examples."""
    known = 0 if y is None else int((y >= 0).sum())
    if y is None or labelled > known:
        available = "no labels" if y is None else f"{known:,} training examples with a label"
        raise DataError(f"labelled is {labelled:,}, but there are {available}", "Label fewer.")
    chosen = y >= 0
    drawn = draw(labelled, y[chosen].numpy(), known, np.random.default_rng((seed, 3)))
    chosen[chosen.clone()] = torch.from_numpy(drawn)
    return torch.where(chosen, y, -1)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """torch accepts no reversed strides and no read-only memory."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _overlaps(parts: dict[str, Split]) -> list[str]:
    """A notice for each part that shares examples with the training part."""
    hashes = {part: digests(split.x.numpy()) for part, split in parts.items()}
    notices = []
    for part in ("validation", "test"):
        shared = int(np.isin(hashes[part], hashes["train"]).sum())
        if shared:
            notices.append(
                f"{shared:,} of {len(parts[part]):,} {part} examples also appear in the training "
                f"part, so metrics on the {part} part are too optimistic."
            )
    return notices
