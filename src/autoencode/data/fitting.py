"""Fitting a `Preprocessing` to the training part, and adapting it to new data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoencode.data.arrays import Arrays, blocks
from autoencode.data.options import Options, Scale
from autoencode.data.preprocessing import Column, Preprocessing
from autoencode.data.ranges import (
    TOLERANCE,
    Measured,
    is_integral,
    likely,
    measured,
    number,
    percentile_range,
    range_for,
    range_option,
)
from autoencode.data.raw import RawData
from autoencode.errors import DataError


def fitted(
    parts: Arrays,
    train: tuple[str, np.ndarray | None],
    raw: RawData,
    options: Options,
    channels_last: bool,
) -> tuple[Preprocessing, list[str]]:
    """The preprocessing of raw examples, fitted on the training part, and notices.

    parts: the examples of each part of the source, channels first.
    train: the part of the source that holds the training examples, and their positions.

    Raises:
        DataError: the values cannot be used as they are.
    """
    x, rows = parts[train[0]], train[1]
    shape = x.shape[1:]
    if raw.columns or (options.scale not in (None, "none") and len(shape) == 1):
        return _table(parts, x, rows, raw, options)
    if options.scale not in (None, "none"):
        raise DataError(
            f"scale is {options.scale}, but the data are images",
            "Give --range auto (value_range='auto') instead of --scale.",
        )
    if options.value_range == "auto":
        span, notices = percentile_range(parts, train, options.per_channel, raw.names)
    else:
        given = options.span or raw.value_range
        by_type = raw.image_files and options.span is None
        span, notices = range_for(parts, given, raw.names, by_type=by_type)
    raw_shape: tuple[int, ...] | None = shape
    if options.size is not None and shape[-2:] != tuple(options.size):
        if len(shape) < 2:
            raise DataError(
                f"size is {tuple(options.size)}, but the data are vectors",
                "Leave out --size (size).",
            )
        height, width = options.size
        notices.append(_resize_notice(shape, (height, width)))
        shape = (*shape[:-2], height, width)
    elif options.size is not None and raw.image_files:
        raw_shape = None  # each file had its own size
    binarise = options.binarise
    return Preprocessing(
        tuple(shape),
        span.stored,
        raw_shape,
        x.dtype.newbyteorder("=").name,
        channels_last,
        span.low,
        span.high,
        span.source,
        binarise,
    ), notices


def adapted(
    given: Preprocessing, parts: Arrays, raw: RawData, options: Options, channels_last: bool
) -> tuple[Preprocessing, list[str]]:
    """The preprocessing of a trained model for new data, and notices.

    The result gives tensors in the same units as in training. It describes the new data: their
    type, their size, and where the range is that of the type of the values, their range.

    Raises:
        DataError: the new data do not fit.
    """
    x = next(iter(parts.values()))
    if given.is_table:
        _refuse_gaps(given, parts, raw)
        return given, [] if raw.columns else _array_for_table(given, x)
    if any(column.kind == "categorical" for column in raw.columns):
        raise DataError(
            "The table has columns of text, and the model was trained on an array of numbers",
            "Give an array, or the numeric columns alone.",
        )
    shape, wanted = x.shape[1:], given.shape
    notices = []
    if shape != wanted:
        _check_shape(x.shape, given, raw, options, channels_last)
        notices.append(_resize_notice(shape, (wanted[-2], wanted[-1])))
    kind = x.dtype.newbyteorder("=").name
    own = options.span
    new = replace(given, raw_shape=tuple(shape), raw_type=kind, channels_last=channels_last)
    if own is not None or (given.range_source == "type" and kind != given.raw_type):
        span, more = range_for(parts, own or raw.value_range, raw.names, by_type=own is None)
        if (span.low, span.high) != (given.low, given.high):
            more = [
                f"The values are {kind}, of which {number(float(span.low))} to "  # type: ignore[arg-type]
                f"{number(float(span.high))} become 0 to 1; in training, {given.describe_range()}.",  # type: ignore[arg-type]
                *more,
            ]
        source = given.range_source if own is None else span.source
        new = replace(new, stored=span.stored, low=span.low, high=span.high, range_source=source)
        return new, [*notices, *more]
    notices += _inside(given, parts, raw)
    if given.stored == "uint8" and not all(map(is_integral, parts.values())):
        new = replace(new, stored="float32")
    return new, notices


def _inside(given: Preprocessing, parts: Arrays, raw: RawData) -> list[str]:
    """Check that new values are in the range of the model, and give notices."""
    found = measured(parts, raw.names)
    bottom, top = float(np.min(given.low)), float(np.max(given.high))
    beyond = found.low < bottom or found.high > top
    notices = found.notices(bottom, top, "the range that the model was trained with")
    if given.range_source == "percentiles" and beyond:
        low, high = given.bounds
        outside = sum(
            int(((block < low) | (block > high)).sum())
            for x in parts.values()
            for _, block in blocks(x)
        )
        share = outside / sum(x.size for x in parts.values())
        notices.append(
            f"{share:.2%} of the values are beyond the range that the model was trained with, and "
            "are clipped."
        )
    elif beyond and not _is_rounding(found, bottom, top):
        raise DataError(
            f"The values are from {number(found.low)} to {number(found.high)}, outside the range "
            f"that the model was trained with, {number(bottom)} to {number(top)}",
            "Convert them to this range, or give their own: "
            f"{range_option(*likely(found.low, found.high, found.integers))}.",
        )
    return notices


def _is_rounding(found: Measured, bottom: float, top: float) -> bool:
    slack = 0 if found.integers else TOLERANCE * (top - bottom)
    return found.low >= bottom - slack and found.high <= top + slack


def _check_shape(
    array: tuple[int, ...],
    given: Preprocessing,
    raw: RawData,
    options: Options,
    channels_last: bool,
) -> None:
    """Check that examples [N, ...] of this shape, channels first, can be resized to the model's.

    Raises:
        DataError: they cannot, or the model was trained without resizing.
    """
    shape, wanted = array[1:], given.shape
    images = len(shape) > 1 and len(wanted) > 1
    if images and shape[:-2] == wanted[:-2]:
        if given.raw_shape != given.shape or options.size is not None:
            return
        h, w = wanted[-2:]
        fix = f"Resize them: --size {h} {w} (size=({h}, {w}))."
    else:
        fix = _channels_fix(array, given, channels_last) or (
            "Give data like those that the model was trained on."
        )
    own = (*shape[1:], shape[0]) if channels_last and len(shape) == 3 else shape
    raise DataError(f"The examples have the shape {own}, and the model takes {wanted}", fix)


def _channels_fix(array: tuple[int, ...], given: Preprocessing, channels_last: bool) -> str | None:
    """What makes examples fit whose axes or channels differ from those of the model."""
    shape, wanted = array[1:], given.shape
    if array in (wanted, (*wanted[1:], wanted[0])):
        return "If this is one example, give x[None]."
    if len(shape) == len(wanted) == 3:
        c = shape[1] if channels_last else shape[2]  # channels in the other order
        other = "--channels-first" if channels_last else "--channels-last"
        if c == wanted[0]:
            return f"Give {other} (channels_last={not channels_last})."
        axis = -1 if channels_last else 1
        if shape[0] == 1:
            return f"Repeat their channel: np.repeat(x, {wanted[0]}, {axis})."
        if wanted[0] == 1:
            return f"Take the mean of the channels: x.mean({axis}, keepdims=True).astype(x.dtype)."
    if len(shape) == 3 and len(wanted) == 2:
        axis = -1 if channels_last else 1
        if shape[0] == 1:
            return f"Leave out the axis of the channel: x.squeeze({axis})."
        return f"Take the mean of the channels: x.mean({axis}).astype(x.dtype)."
    if len(shape) == 2 and len(wanted) == 3:
        axis = -1 if given.channels_last else 1
        return f"Copy them to {wanted[0]} channels: np.stack([x] * {wanted[0]}, {axis})."
    if len(shape) != len(wanted) and math.prod(shape) == math.prod(wanted):
        # Vectors hold the values of images as the model takes them, channels first.
        sizes = ", ".join(map(str, wanted))
        layout = " with --channels-first (channels_last=False)" if given.channels_last else ""
        return f"Give x.reshape(len(x), {sizes}){layout}."
    return None


def _refuse_gaps(given: Preprocessing, parts: Arrays, raw: RawData) -> None:
    """Refuse missing values for a model that was trained without any.

    Raises:
        DataError: there are missing values.
    """
    if given.missing:
        return
    for part, x in parts.items():
        rows = np.flatnonzero(np.isnan(x).reshape(len(x), -1).any(1))
        if len(rows):
            name = raw.names.get(part, [f"row {i}" for i in range(len(x))])[rows[0]]
            raise DataError(
                f"{len(rows):,} of {len(x):,} rows have missing values, the first {name}, and the "
                "model was trained without any",
                "Fill them in, or train on data with missing values: "
                "autoencode train missing-iwae --data TABLE",
            )


def _array_for_table(given: Preprocessing, x: np.ndarray) -> list[str]:
    """A notice of how an array without names is read by a model of a table.

    Raises:
        DataError: its shape is another, or the model has categories.
    """
    names = ", ".join(column.name for column in given.columns[:50])
    numeric = all(column.kind == "numeric" for column in given.columns)
    if not numeric or x.shape[1:] != given.raw_shape:
        raise DataError(
            f"The data are an array with examples of shape {x.shape[1:]}, and the model takes "
            f"{len(given.columns)} columns: {names}",
            "Give a table with these columns.",
        )
    unnamed = all(column.name == f"x{i + 1}" for i, column in enumerate(given.columns))
    return [] if unnamed else [f"The columns of the array are taken as {names}, in this order."]


def with_channels(x: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Decoded image files with the channels of a model's examples of this shape, and a notice.

    Colour becomes grey with the weights of ITU-R 601, and grey is copied to three channels.
    """
    bands = shape[0] if len(shape) == 3 else 1
    if x.ndim == 3 and len(shape) == 3 and bands in (1, 3):
        notices = [
            "The images are grey and were copied to three channels, as the model takes colour."
        ]
        x = np.broadcast_to(x[:, None], (len(x), bands, *x.shape[1:]))
        return x, notices if bands == 3 else []
    if x.ndim == 4 and x.shape[1] == 3 and len(shape) > 1 and bands == 1:
        grey = np.tensordot(x, np.array([0.299, 0.587, 0.114]), (1, 0))
        grey = (np.rint(grey) if x.dtype.kind in "iu" else grey).astype(x.dtype)
        grey = grey if len(shape) == 2 else grey[:, None]
        return grey, ["The images are in colour and became grey, as the model takes grey images."]
    return x, []


def _resize_notice(shape: Sequence[int], size: tuple[int, int]) -> str:
    return (
        f"The images were resized from {shape[-2]}×{shape[-1]} to {size[0]}×{size[1]} (height × "
        "width): scaled to cover the new size, then cropped about the centre."
    )


def _table(
    parts: Arrays, x: np.ndarray, rows: np.ndarray | None, raw: RawData, options: Options
) -> tuple[Preprocessing, list[str]]:
    """The preprocessing of a table, each column scaled by its training values."""
    columns = raw.columns or tuple(Column(f"x{i + 1}") for i in range(x.shape[1]))
    scale: Scale = options.scale or "standard"
    done, notices, constant = [], list[str](), []
    for i, column in enumerate(columns):
        if column.kind == "categorical":
            done.append(column)
            continue
        values = x[:, i] if rows is None else x[rows, i]
        values = values[~np.isnan(values)].astype(np.float64)
        if not np.isfinite(values).all():
            raise DataError(
                f"Column {column.name} contains infinity", "Replace it, or leave the cell empty."
            )
        if not len(values):
            raise DataError(
                f"Column {column.name} has no value in the training part",
                f"Leave it out: --columns {','.join(c.name for c in columns if c != column)}",
            )
        centre, width = _centre_and_width(values, scale)
        if not width:
            constant.append(column.name)
            width = 1.0
        done.append(replace(column, centre=centre, scale=width))
    missing = any(bool(np.isnan(each).any()) for each in parts.values())
    if scale != "none":
        notices.append(
            f"Each numeric column was scaled by its {SCALES[scale]} in the training part."
        )
    if constant:
        notices.append(
            f"{len(constant)} columns have no spread in the training part and teach the model "
            f"nothing: {', '.join(constant[:10])}{' and so on' if len(constant) > 10 else ''}."
        )
    if missing:
        gaps = sum(int(np.isnan(each).sum()) for each in parts.values())
        cells = sum(each.size for each in parts.values())
        notices.append(
            f"{gaps:,} of {cells:,} cells ({gaps / cells:.1%}) are missing; the loss leaves them "
            "out."
        )
    found = Preprocessing(
        (sum(column.width for column in done),),
        "float32",
        (len(columns),),
        x.dtype.newbyteorder("=").name,
        columns=tuple(done),
        missing=missing,
    )
    return found, notices


SCALES = {
    "standard": "mean and standard deviation",
    "robust": "median and interquartile range",
    "minmax": "minimum and maximum",
}


def _centre_and_width(values: np.ndarray, scale: Scale) -> tuple[float, float]:
    """The centre of a column, and the width that becomes 1; 0 without spread."""
    if scale == "none":
        return 0.0, 1.0
    if values.min() == values.max():  # the deviation of equal values may be rounded to 1e-17
        return float(values[0]), 0.0
    if scale == "minmax":
        return float(values.min()), float(values.max() - values.min())
    if scale == "robust":
        low, centre, high = np.percentile(values, (25, 50, 75))
        # A column that is constant for most rows has no quartiles apart.
        return float(centre), float(high - low) or float(values.std())
    return float(values.mean()), float(values.std())
