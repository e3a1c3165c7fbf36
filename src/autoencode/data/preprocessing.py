"""`Preprocessing`: how the raw data of a user become the tensors of a model, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import Within, check_value
from autoencode.data.read.resize import resized
from autoencode.errors import DataError, RecipeError

TOLERANCE = 1e-5  # float arithmetic can slightly exceed 1

# Where the range of values comes from: the type of the data, the user, or the training part.
RangeSource = Literal["type", "given", "percentiles"]
Width = Annotated[int, Within(1, 2**31)]
ColumnKind = Literal["numeric", "categorical"]
StoredType = Literal["uint8", "float32"]


@dataclass(frozen=True)
class Column:
    """One column of a table, and how its values are preprocessed.

    centre, scale: a number v becomes (v − centre) / scale.
    categories: names of the categories, which become a one-hot block of so many values.
    """

    name: str
    kind: ColumnKind = "numeric"
    centre: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of preprocessed values."""
        return len(self.categories) if self.kind == "categorical" else 1


@dataclass(frozen=True)
class Preprocessing:
    """How raw examples become tensors, fitted on the training part; `inverse` is the way back.

    `preprocessing(x)` converts raw examples [n, ...] to [n, *shape]: uint8 where the raw values are
    bytes from 0 to 255, else float32. A model divides bytes by 255, so it receives floats.

    shape: of one preprocessed example: (28, 28), (3, 32, 32), (30,).
    stored: the type of preprocessed examples, "uint8" or "float32".
    raw_shape: of one raw example, channels first, before images are resized; None if the raw
        images had several sizes.
    raw_type: the type of the raw values, such as "uint8", "uint16" or "float64".
    channels_last: the raw arrays have their channels last, [N, H, W, C].
    low, high: the raw values that become 0 and 1; one number, or one for each channel.
    range_source: "type": the full range of the type of the values, as 0 to 255 for bytes and 0 to 1
        for floats; "given": by the user; "percentiles": of the training part, and values beyond
        them are clipped.
    binarise: pixels are drawn black or white by their grey value, "static" or "dynamic".
    columns: the columns of a table; () for other data.
    missing: missing values, NaN, are allowed.
    classes: names of the classes, () without labels.
    """

    shape: tuple[int, ...]
    stored: StoredType = "float32"
    raw_shape: tuple[int, ...] | None = None
    raw_type: str = "float32"
    channels_last: bool = False
    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 1.0
    range_source: RangeSource = "type"
    binarise: Literal["static", "dynamic"] | None = None
    columns: tuple[Column, ...] = ()
    missing: bool = False
    classes: tuple[str, ...] = ()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Convert raw examples [n, ...], channels first, in float64, which large ranges need."""
        if self.columns:
            return self._rows(x)
        if self.stored == "uint8":
            values = x.astype(np.uint8, copy=False)
        else:
            low, high = self.bounds
            scaled = x.astype(np.float64)
            scaled -= low
            scaled /= high - low
            values = scaled.clip(0, 1, out=scaled).astype(np.float32)
        same = values.shape[1:] == self.shape
        return values if same else resized(values, (self.shape[-2], self.shape[-1]))

    def inverse(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Preprocessed examples in the data's own units and type.

        x: [n, *shape], uint8, or float as a model receives and returns it.

        Integers are rounded, and channels are last where the raw data had them last. A table row
        becomes a row of objects, [n, columns]: numbers, and names of categories, the most probable
        one of each block. Resizing, binarisation and clipping have no inverse.
        """
        values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
        if values.dtype == np.uint8:
            values = values / 255
        values = values.astype(np.float64).reshape(len(values), *self.shape)
        if self.columns:
            return self._raw_rows(values)
        low, high = self.bounds
        values = low + values * (high - low)
        kind = np.dtype(self.raw_type)
        if kind.kind in "iu":
            info = np.iinfo(kind)
            # The largest float64 in the type: 2**63 − 1 would be rounded to 2**63.
            top = float(info.max)
            top = float(np.nextafter(top, 0)) if top > info.max else top
            values = np.rint(values).clip(info.min, top)
        values = values > 0.5 if kind.kind == "b" else values.astype(kind)
        return np.moveaxis(values, 1, -1) if self.channels_last and values.ndim == 4 else values

    def check(self, x: Tensor) -> None:
        """Check that examples, as a model receives them, are in the preprocessed range.

        x: [B, *X], uint8 or float.

        Raises:
            DataError: values outside of [0, 1] where the data were scaled to it, infinity, or NaN
                where no missing values are allowed.
        """
        if not x.is_floating_point():
            return
        low, high = x.aminmax()
        fix = "Convert raw data: autoencode.preprocess(data, model.preprocessing)."
        if not math.isfinite(low.item()) or not math.isfinite(high.item()):
            wrong = torch.isinf(x) if self.missing else ~torch.isfinite(x)
            if wrong.any():
                first = wrong.flatten(1).any(1).nonzero()[0].item()
                raise DataError(
                    f"Example {first} contains NaN or infinity",
                    "Remove these examples or replace the values.",
                )
        elif not self.columns and (low.item() < -TOLERANCE or high.item() > 1 + TOLERANCE):
            raise DataError(
                f"The values are from {low.item():.6g} to {high.item():.6g}, and this model takes "
                f"values in [0, 1] ({self.describe_range()})",
                fix,
            )

    @property
    def dtype(self) -> np.dtype:
        """The type of the preprocessed values."""
        return np.dtype(self.stored)

    @property
    def example_bytes(self) -> int:
        """Bytes of one preprocessed example."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_table(self) -> bool:
        """Whether an example is a row of a table."""
        return bool(self.columns)

    @property
    def bounds(self) -> tuple[Any, Any]:
        """`low` and `high`, which broadcast over raw examples [n, ...]."""
        return self._per_channel(self.low), self._per_channel(self.high)

    def describe_range(self) -> str:
        """The range of the raw values in words: "raw values 0 to 255 become 0 to 1"."""
        if self.columns:
            return "each column is scaled separately"
        if isinstance(self.low, tuple) or isinstance(self.high, tuple):
            pairs = zip(self._channels(self.low), self._channels(self.high), strict=True)
            spans = ", ".join(f"{a:.6g} to {b:.6g}" for a, b in pairs)
            text = f"raw values of the channels, {spans}, become 0 to 1"
        else:
            text = f"raw values {self.low:.6g} to {self.high:.6g} become 0 to 1"
        return f"{text}, values beyond are clipped" if self.range_source == "percentiles" else text

    def __str__(self) -> str:
        """One line that says what is done to the raw data."""
        steps = [f"{self.raw_type} {_shape(self.raw_shape)}" if self.raw_shape else self.raw_type]
        if self.columns:
            numeric = [column for column in self.columns if column.kind == "numeric"]
            steps = [f"table with {len(self.columns)} columns"]
            if numeric:
                steps.append(f"{len(numeric)} numeric: (value − centre) / scale")
            for column in self.columns:
                if column.kind == "categorical":
                    steps.append(f"{column.name} one-hot, {column.width} categories")
            if self.missing:
                steps.append("missing values are masked")
        else:
            if self.channels_last:
                steps.append("channels moved to the front")
            if self.raw_shape != self.shape:
                steps.append(f"resized to {self.shape[-2]}×{self.shape[-1]}")
            steps.append(self.describe_range())
            if self.binarise:
                steps.append(f"binarised ({self.binarise})")
        if self.classes:
            steps.append(f"{len(self.classes)} classes")
        return "; ".join([*steps, f"model input float32 {_shape(self.shape)}"])

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON."""
        return {name: _lists(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The record from JSON.

        Raises:
            RecipeError: an entry is unknown, or of a wrong type.
        """
        values = _checked(record, cls, "preprocessing")
        columns = tuple(
            Column(**_checked(column, Column, f"preprocessing.columns[{i}]"))
            for i, column in enumerate(record.get("columns", ()))
        )
        found = cls(**{**values, "columns": columns})
        found._check_entries()
        return found

    def _check_entries(self) -> None:
        """Checks that the entries of a record fit each other.

        Raises:
            RecipeError: they do not.
        """
        bounds = [each for each in (self.low, self.high) if isinstance(each, tuple)]
        width = sum(column.width for column in self.columns)
        channels = self._channel_count
        wrong = ""
        if not self.shape:
            wrong = "shape is empty"
        elif self.columns and self.shape != (width,):
            wrong = f"the columns have {width} values, and shape is {list(self.shape)}"
        elif any(len(each) != channels for each in bounds):
            wrong = f"low and high have other lengths than the {channels} channels"
        elif not self.columns and len(self.raw_shape or self.shape) != len(self.shape):
            wrong = "raw_shape and shape have different numbers of axes"
        elif not self.columns and self.raw_shape not in (None, self.shape) and len(self.shape) < 2:
            wrong = "raw_shape and shape differ, and only images are resized"
        if wrong:
            raise RecipeError(f"preprocessing: {wrong}")

    def same_units(self, other: Preprocessing) -> bool:
        """Whether both give the same numbers for an example, as far as both can read it."""
        by_type = self.range_source == other.range_source == "type"
        same_range = by_type or (self.low, self.high) == (other.low, other.high)
        return self.shape == other.shape and same_range and self.columns == other.columns

    def with_classes(self, classes: Sequence[str]) -> Preprocessing:
        """The same with these names of classes."""
        return replace(self, classes=tuple(classes))

    def _per_channel(self, bound: float | tuple[float, ...]) -> Any:
        """A bound that broadcasts over examples [n, C, H, W]."""
        return np.array(bound).reshape(-1, 1, 1) if isinstance(bound, tuple) else bound

    @property
    def _channel_count(self) -> int:
        return self.shape[0] if len(self.shape) == 3 else 1

    def _channels(self, bound: float | tuple[float, ...]) -> tuple[float, ...]:
        return bound if isinstance(bound, tuple) else (bound,) * self._channel_count

    def _rows(self, x: np.ndarray) -> np.ndarray:
        """Table rows [n, columns], categories as their numbers, to [n, D]."""
        out = np.empty((len(x), self.shape[0]), np.float32)
        start = 0
        for values, column in zip(x.T, self.columns, strict=True):
            end = start + column.width
            if column.kind == "numeric":
                out[:, start] = (values - column.centre) / column.scale
            else:
                out[:, start:end] = values[:, None] == np.arange(column.width)
                out[np.isnan(values), start:end] = np.nan
            start = end
        return out

    def _raw_rows(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((len(x), len(self.columns)), object)
        start = 0
        for i, column in enumerate(self.columns):
            block = x[:, start : start + column.width]
            if column.kind == "numeric":
                out[:, i] = column.centre + block[:, 0] * column.scale
            else:
                gaps = np.isnan(block).all(1)
                best = np.where(np.isnan(block), -np.inf, block).argmax(1)
                out[:, i] = np.array([*column.categories], object)[best]
                out[gaps, i] = None
            start += column.width
        return out


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _checked(record: Mapping[str, Any], kind: type[Any], where: str) -> dict[str, Any]:
    """The entries of a JSON object for a dataclass, with tuples for lists.

    Raises:
        RecipeError: an entry is unknown, missing, or of a wrong type.
    """
    check_value(record, dict, where)
    kinds = get_type_hints(kind)
    found = {}
    for name, value in record.items():
        if name not in kinds:
            raise RecipeError(f"{where} has the unknown entry {name}")
        values = value if isinstance(value, list) else [value]
        if not _may_be(value, kinds[name]):
            article = "a" if isinstance(value, list) else "no"
            raise RecipeError(f"{where}.{name} is {article} list")
        allowed = _ENTRIES.get(name, kinds[name])
        for each in values:
            check_value(each, allowed, f"{where}.{name}")
        found[name] = tuple(values) if isinstance(value, list) else value
    missing = [each.name for each in fields(kind) if each.default is MISSING]
    for name in missing:
        if name not in record:
            raise RecipeError(f"{where}.{name} is missing")
    return found


def _may_be(value: Any, hint: Any) -> bool:
    """Whether a list, or a single value, stands where a type of a field says so."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if isinstance(value, list):
        return any(get_origin(option) is tuple for option in options)
    single = [option for option in options if get_origin(option) is not tuple]
    return value is None if single == [type(None)] else bool(single)


def _lists(value: Any) -> Any:
    """JSON has lists and no tuples."""
    if isinstance(value, dict):
        return {name: _lists(each) for name, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, tuple | list) else value


# Types of the entries of lists in JSON.
_ENTRIES: Mapping[str, Any] = {
    "shape": Width,
    "raw_shape": Width | None,
    "low": float,
    "high": float,
    "columns": dict[str, Any],
    "classes": str,
    "categories": str,
}
