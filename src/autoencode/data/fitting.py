"""Fitting a `Preprocessing` to the training part, and adapting it to new data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoencode.data.arrays import Arrays, percentile_range, range_for
from autoencode.data.options import Options, Scale
from autoencode.data.preprocessing import Column, Preprocessing
from autoencode.data.records import RawData
from autoencode.errors import DataError

# A new range that is less than this share of the model's range is stated.
NARROW = 0.25


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
            f"scale is {options.scale}, but the data are images", "Give --range auto instead."
        )
    if options.value_range == "auto":
        span, notices = percentile_range(x, rows, options.per_channel)
    else:
        given = options.span or raw.value_range
        by_type = raw.image_files and options.span is None
        span, notices = range_for(parts, given, raw.names, by_type=by_type)
    raw_shape: tuple[int, ...] | None = shape
    if options.size is not None and shape[-2:] != tuple(options.size):
        if len(shape) < 2:
            raise DataError(
                f"size is {tuple(options.size)}, but the data are vectors", "Leave it out."
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
    given: Preprocessing, parts: Arrays, raw: RawData, options: Options
) -> tuple[Preprocessing, list[str]]:
    """The preprocessing of a trained model for new data, and notices.

    The result gives tensors in the same units; only the stored type and, where the range is that
    of the type of the values, the raw range may differ.

    Raises:
        DataError: the new data do not fit.
    """
    x = next(iter(parts.values()))
    if given.is_table:
        return given, [] if raw.columns else _array_for_table(given, x)
    if any(column.kind == "categorical" for column in raw.columns):
        raise DataError(
            "The table has columns of text, and the model was trained on an array of numbers",
            "Give an array, or the numeric columns alone.",
        )
    notices = []
    shape, wanted = x.shape[1:], given.shape
    resizes = given.raw_shape != given.shape or options.size is not None
    if shape != wanted:
        if len(shape) < 2 or shape[:-2] != wanted[:-2]:
            raise DataError(
                f"The examples have the shape {shape}, and the model takes {wanted}",
                "Give data as those that the model was trained on.",
            )
        if not resizes:
            raise DataError(
                f"The examples have the shape {shape}, and the model takes {wanted}",
                f"Resize them: --size {wanted[-2]} {wanted[-1]} (size=({wanted[-2]}, "
                f"{wanted[-1]})).",
            )
        notices.append(_resize_notice(shape, (wanted[-2], wanted[-1])))
    own = options.span
    if given.range_source == "type" or own:
        span, more = range_for(parts, own or raw.value_range, raw.names, by_type=not own)
        found = replace(given, stored=span.stored, low=span.low, high=span.high)
        return found, [*notices, *more]
    lowest, highest = np.min(given.low), np.max(given.high)
    clips = given.range_source == "percentiles"
    span, _ = range_for(parts, (-np.inf, np.inf), raw.names)  # refuses NaN and infinity
    low = min(float(each.min()) for each in parts.values())
    high = max(float(each.max()) for each in parts.values())
    if not clips and (low < lowest or high > highest):
        raise DataError(
            f"The values are from {low:.6g} to {high:.6g}, outside the range that the model was "
            f"trained with, {lowest:.6g} to {highest:.6g}",
            f"Convert them to this range, or give their own: --range {low:.6g} {high:.6g} "
            f"(value_range=({low:.6g}, {high:.6g})).",
        )
    if high - low < NARROW * (highest - lowest):
        notices.append(
            f"The values are from {low:.6g} to {high:.6g}, a small part of the range that the "
            f"model was trained with, {lowest:.6g} to {highest:.6g}. If their range is another, "
            f"give it: --range {low:.6g} {high:.6g} (value_range=({low:.6g}, {high:.6g}))."
        )
    return given, notices


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
    if x.ndim == 3 and len(shape) == 3 and shape[0] == 3:
        notice = "The images are grey and were copied to three channels, as the model takes colour."
        return np.broadcast_to(x[:, None], (len(x), 3, *x.shape[1:])), [notice]
    if x.ndim == 4 and len(shape) == 2:
        grey = np.tensordot(x, np.array([0.299, 0.587, 0.114]), (1, 0))
        grey = (np.rint(grey) if x.dtype.kind == "u" else grey).astype(x.dtype)
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
    if scale == "minmax":
        return float(values.min()), float(values.max() - values.min())
    if scale == "robust":
        low, centre, high = np.percentile(values, (25, 50, 75))
        # A column that is constant for most rows has no quartiles apart.
        return float(centre), float(high - low) or float(values.std())
    return float(values.mean()), float(values.std())
