"""From the content of a source to data for training: checked, converted and divided into parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autoencode.data.arrays import as_array, examples, scaling_for
from autoencode.data.options import Options
from autoencode.data.records import PARTS, Data, RawData, Split, digests, fingerprint
from autoencode.data.split.binarisation import binarised
from autoencode.data.split.labels import encode
from autoencode.data.split.splits import draw, split
from autoencode.data.storage import Conversion, Selection, Storage
from autoencode.errors import DataError
from autoencode.io.files import shown


def prepare(raw: RawData, options: Options, name: str, source: str, storage: Storage) -> Data:
    """Check values and labels, divide the data into parts, and note every conversion.

    storage: receives the converted examples. A storage that reuses memory overwrites `raw`.

    Raises:
        DataError: the data cannot be used as they are.
    """
    try:
        return _prepared(raw, options, name, source, storage)
    except DataError as error:
        if source in ("", name):
            raise
        what = f"{shown(source)}: {error.what[0].lower()}{error.what[1:]}"
        raise DataError(what, error.fix) from error


def _prepared(raw: RawData, options: Options, name: str, source: str, storage: Storage) -> Data:
    x, conversion, notices = _values(raw, options)
    y, classes, label_notices = _labels(raw, {part: len(each) for part, each in x.items()})
    per_example = {
        "context": _vectors(raw),
        "factors": np.stack(list(raw.factors.values()), 1) if raw.factors else None,
    }
    parts = _divided(x, conversion, y, per_example, options, storage)
    notices = [*raw.notices, *notices, *label_notices]
    if options.validation is not None and "validation" in raw.parts:
        notices.append("The source has its own validation part, so none was drawn.")
    if not raw.verified:
        notices += _overlaps(parts)
    if options.binarise is not None:
        parts = binarised(parts, options.binarise, options.seed, storage.replace)
    return Data(
        name=name,
        source=source,
        options=options.record(),
        classes=classes,
        fingerprint=fingerprint(parts),
        notices=tuple(notices),
        factors=tuple(raw.factors),
        unordered=raw.unordered,
        **parts,
    )


def _values(raw: RawData, options: Options) -> tuple[dict[str, np.ndarray], Conversion, list[str]]:
    """The examples of each part, unchanged, their conversion to one shape and type, and notices."""
    arrays = {}
    for part, (x, _) in raw.parts.items():
        what = "The data" if part == "all" else f"The {part} part"
        arrays[part] = examples(as_array(x, what), what)
    shapes = {part: x.shape[1:] for part, x in arrays.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        raise DataError(f"The parts have examples of different shapes: {listed}", "Give one shape.")
    value_range = options.value_range if options.value_range is not None else raw.value_range
    scaling, notices = scaling_for(arrays, value_range, raw.names)
    shape = next(iter(shapes.values()))
    if options.size is not None and shape[-2:] != tuple(options.size):
        if len(shape) < 2:
            raise DataError(
                f"size is {tuple(options.size)}, but the data are vectors", "Leave it out."
            )
        height, width = options.size
        notices.append(
            f"The images were resized from {shape[-2]}×{shape[-1]} to {height}×{width} (height × "
            "width): scaled to cover the new size, then cropped about the centre."
        )
        shape = (*shape[:-2], height, width)
    return arrays, Conversion(scaling, shape), notices


def _labels(
    raw: RawData, lengths: dict[str, int]
) -> tuple[dict[str, np.ndarray] | None, tuple[str, ...], list[str]]:
    labels: dict[str, Any] = {part: y for part, (_, y) in raw.parts.items() if y is not None}
    if not labels:
        return None, (), []
    if len(labels) < len(raw.parts):
        notice = f"Only {' and '.join(labels)} have labels, so all labels are left out."
        return None, (), [notice]
    return *encode(labels, lengths, raw.classes), []


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


def _divided(
    x: dict[str, np.ndarray],
    conversion: Conversion,
    y: dict[str, np.ndarray] | None,
    per_example: dict[str, np.ndarray | None],
    options: Options,
    storage: Storage,
) -> dict[str, Split]:
    """The three parts; those that the source lacks are drawn from its training part or from all.

    per_example: further arrays [N, ...] of an undivided source.
    """
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
    )
    selections: dict[str, Selection] = {}
    others: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        origin = whole if part in drawn else part
        is_smaller = part in drawn and len(drawn[part]) < len(x[origin])
        rows = drawn[part] if is_smaller else None
        selections[part] = Selection(x[origin], rows)
        arrays = {"y": None if y is None else y[origin], **per_example}
        others[part] = {
            what: None if array is None else _tensor(array if rows is None else array[rows])
            for what, array in arrays.items()
        }
    if options.labelled is not None:
        train = others["train"]
        train["y"] = _hidden(train["y"], len(selections["train"]), options.labelled, options.seed)
    examples = storage.gather(selections, conversion)
    return {part: Split(x, **others[part]) for part, x in examples.items()}


def _hidden(y: torch.Tensor | None, n: int, labelled: int, seed: int) -> torch.Tensor:
    """The labels of the training part, −1 for all but `labelled` examples."""
    if y is None or labelled > n:
        available = "no labels" if y is None else f"{n:,} training examples"
        raise DataError(f"labelled is {labelled:,}, but there are {available}", "Label fewer.")
    chosen = draw(labelled, y.numpy(), n, np.random.default_rng((seed, 3)))
    return torch.where(torch.from_numpy(chosen), y, -1)


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
