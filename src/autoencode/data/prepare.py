"""From what a source holds to data that can be trained on: checked, converted, split."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autoencode.data.arrays import as_array, change_for, examples
from autoencode.data.gather import Form, Keep, Share
from autoencode.data.options import Options
from autoencode.data.records import PARTS, Data, Raw, Split, digests, fingerprint
from autoencode.data.split.binarisation import binarised
from autoencode.data.split.labels import encode
from autoencode.data.split.splits import draw, split
from autoencode.errors import DataError
from autoencode.io.files import shown


def prepare(raw: Raw, options: Options, name: str, source: str, keep: Keep) -> Data:
    """Check values and labels, divide what the source does not divide, and say what was done.

    keep: where the examples stay. In memory that is ours they are moved: `raw` is used up.

    Raises:
        DataError: anything that would train in silence and mean nothing.
    """
    try:
        return _prepared(raw, options, name, source, keep)
    except DataError as error:
        if source in ("", name):
            raise
        what = f"{shown(source)}: {error.what[0].lower()}{error.what[1:]}"
        raise DataError(what, error.fix) from error


def _prepared(raw: Raw, options: Options, name: str, source: str, keep: Keep) -> Data:
    notices = list(raw.notices)
    x, form, told = _values(raw, options)
    y, classes, missing = _labels(raw, {part: len(a) for part, a in x.items()})
    factors = np.stack(list(raw.factors.values()), 1) if raw.factors else None
    parts = _divided(x, form, y, _vectors(raw), factors, options, keep)
    if options.validation is not None and "validation" in raw.parts:
        missing.append("The source has a validation part of its own, so none was drawn.")
    notices += told + missing
    if not raw.trusted:
        notices += _twice(parts)
    if options.binarise is not None:
        parts = binarised(parts, options.binarise, options.seed, keep.replace)
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


def _values(raw: Raw, options: Options) -> tuple[dict[str, np.ndarray], Form, list[str]]:
    """All parts as they came, and what brings them to one shape, type and range."""
    arrays = {}
    for part, (x, _) in raw.parts.items():
        what = "The data" if part == "all" else f"The {part} part"
        arrays[part] = examples(as_array(x, what), what)
    shapes = {part: x.shape[1:] for part, x in arrays.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        raise DataError(f"The parts hold examples of different shapes: {told}", "Give one shape.")
    wanted = options.value_range if options.value_range is not None else raw.value_range
    change, notices = change_for(arrays, wanted, raw.names)
    shape = next(iter(shapes.values()))
    if options.size is not None and shape[-2:] != tuple(options.size):
        if len(shape) < 2:
            raise DataError(
                f"size is {tuple(options.size)}, and the data are vectors", "Leave it out."
            )
        height, width = options.size
        notices.append(
            f"The images were brought from {shape[-2]}×{shape[-1]} to {height}×{width} (height × "
            "width): scaled to cover it, cropped about the centre."
        )
        shape = (*shape[:-2], height, width)
    return arrays, Form(change, shape), notices


def _labels(
    raw: Raw, lengths: dict[str, int]
) -> tuple[dict[str, np.ndarray] | None, tuple[str, ...], list[str]]:
    found: dict[str, Any] = {part: y for part, (_, y) in raw.parts.items() if y is not None}
    if not found:
        return None, (), []
    if len(found) < len(raw.parts):
        told = f"Only {' and '.join(found)} have labels, so all labels are left out."
        return None, (), [told]
    return *encode(found, lengths, raw.classes), []


def _vectors(raw: Raw) -> np.ndarray | None:
    """What stands beside each example of a source in one piece, float32 [N, C]."""
    if raw.vectors is None:
        return None
    found, n = as_array(raw.vectors, "The vectors"), len(raw.parts["all"][0])
    if found.ndim != 2 or len(found) != n or found.dtype.kind not in "buif":
        raise DataError(
            f"There are {n:,} examples, and the vectors beside them have shape {found.shape} and "
            f"type {found.dtype}",
            f"Give numbers of shape ({n}, C), in the same order.",
        )
    vectors = found.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(vectors).all(1))
    if len(broken):
        raise DataError(
            f"{len(broken):,} of the vectors are not finite, the first beside example {broken[0]}",
            "Mend or leave out those examples.",
        )
    return vectors


def _divided(
    x: dict[str, np.ndarray],
    form: Form,
    y: dict[str, np.ndarray] | None,
    context: np.ndarray | None,
    factors: np.ndarray | None,
    options: Options,
    keep: Keep,
) -> dict[str, Split]:
    """Draw the parts that the source lacks from its training part, or from all of it."""
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
    shares: dict[str, Share] = {}
    beside: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        from_ = whole if part in drawn else part
        fewer = part in drawn and len(drawn[part]) < len(x[from_])
        rows = drawn[part] if fewer else None
        shares[part] = Share(x[from_], rows)
        kept = slice(None) if rows is None else rows
        beside[part] = {
            "y": None if y is None else _tensor(y[from_][kept]),
            "context": None if context is None else _tensor(context[kept]),
            "factors": None if factors is None else _tensor(factors[kept]),
        }
    if options.labelled is not None:
        train = beside["train"]
        train["y"] = _hidden(train["y"], len(shares["train"]), options.labelled, options.seed)
    examples = keep.gather(shares, form)
    return {part: Split(x, **beside[part]) for part, x in examples.items()}


def _hidden(y: torch.Tensor | None, n: int, kept: int, seed: int) -> torch.Tensor:
    """The labels of the training part, all but `kept` of them hidden."""
    if y is None or kept > n:
        there = "no labels" if y is None else f"{n:,} training examples"
        raise DataError(f"{kept:,} labels were to be kept, and there are {there}", "Keep fewer.")
    chosen = draw(kept, y.numpy(), n, np.random.default_rng((seed, 3)))
    return torch.where(torch.from_numpy(chosen), y, -1)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """torch takes no reversed strides and no read-only memory."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _twice(parts: dict[str, Split]) -> list[str]:
    """A notice when examples are measured on that were also trained on."""
    seen = digests(parts["train"].x.numpy())
    seen.sort()
    found = []
    for part in ("validation", "test"):
        these = digests(parts[part].x.numpy())
        nearest = np.searchsorted(seen, these).clip(max=len(seen) - 1)
        same = int((seen[nearest] == these).sum())
        if same:
            found.append(
                f"{same:,} of {len(parts[part]):,} {part} examples also appear in the training "
                f"part, so figures on the {part} part flatter the model."
            )
    return found
