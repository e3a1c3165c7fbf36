"""Modules that an exported file holds: a model, with its preprocessing and the inverse of it."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from autoencode.data import Preprocessing
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.build import Model
from autoencode.models.label_model import LabelModel
from autoencode.parts.bottlenecks.quantised import Quantised

Part = Literal["all", "encoder", "decoder", "reconstruct", "score"]
# Part -> its outputs; "images" is "rows" for a table.
OUTPUTS: dict[Part, tuple[str, ...]] = {
    "all": ("codes", "images", "score"),
    "encoder": ("codes",),
    "decoder": ("images",),
    "reconstruct": ("images",),
    "score": ("score",),
}


def squared_error(x: Tensor, y: Tensor, missing: bool = False) -> Tensor:
    """The default anomaly score: squared error summed over the values of an example, [N].

    x, y: examples and their reconstructions as the networks see them, [N, *X].
    missing: values of x that are NaN have no error.
    """
    difference = x - y
    if missing:
        difference = torch.where(torch.isnan(x), 0.0, difference)
    return difference.square().flatten(1).sum(1)


class ExportedPart(nn.Module):
    """A part of a model from raw data, or from codes, to its outputs in the order of `outputs`.

    A copy of the model is used, on the CPU, in float32 and in evaluation mode.
    """

    def __init__(self, model: Model, preprocessing: Preprocessing, part: Part) -> None:
        super().__init__()
        self.model: Model = copy.deepcopy(model).cpu().float().eval()
        self.part = part
        table = preprocessing.is_table
        self.preprocess = TableToTensor(preprocessing) if table else ArrayToTensor(preprocessing)
        self.inverse = TensorToTable(preprocessing) if table else TensorToArray(preprocessing)
        self.missing = preprocessing.missing
        self.predicts = isinstance(model, LabelModel) and part in ("all", "encoder")
        self.condition = condition_name(model, part)
        names = ["rows" if name == "images" and table else name for name in OUTPUTS[part]]
        # Indices of a discrete code; None if the code has none.
        self.groups = groups_of(model) if part in ("all", "encoder") else None
        names += ["indices"] if self.groups else []
        self.outputs = (*names, "probabilities") if self.predicts else tuple(names)
        first = "codes" if part == "decoder" else "x"
        self.inputs = (first, self.condition) if self.condition else (first,)
        self.eval()

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        """Raw examples [N, *raw], or codes [N, *Z] for the decoder, to the outputs."""
        if self.part == "decoder":
            return (self.inverse(self.model.distribution(x, context).mean),)
        x = self.preprocess(x)
        found: dict[str, Tensor] = {}
        if self.part == "encoder" or self.groups:
            code = self.model.code(x, context)
            found["codes"] = code.z
            if self.groups:
                assert code.index is not None
                found["indices"] = code.index
        if self.part != "encoder":
            if self.groups:
                y = self.model.distribution(found["codes"], context).mean
            else:
                found["codes"], y = self.model.reconstruction(x, context)
            y = y.reshape(x.shape)
            found["score"] = squared_error(x, y, self.missing)
            if {"images", "rows"} & {*self.outputs}:
                found["images"] = found["rows"] = self.inverse(y)
        if self.predicts:
            assert isinstance(self.model, LabelModel)
            found["probabilities"] = self.model.proba(x)
        return tuple(found[name] for name in self.outputs)

    def weight_bytes(self) -> int:
        """The number of bytes of the weights."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        return sum(each.numel() * each.element_size() for each in tensors)


def condition_name(model: Model, part: Part) -> str | None:
    """The name of the second input of a part: "labels", "vectors", or None.

    A model that learns labels predicts them from x; its decoder takes them.
    """
    context = model.recipe.context
    if context is None or (isinstance(model, LabelModel) and part != "decoder"):
        return None
    return context.kind


def groups_of(model: Model) -> int | None:
    """The number of indices of a discrete code; None for a model without, or with several codes."""
    if not isinstance(model, SlotAutoencoder):
        return None
    bottleneck = model.encoder.bottleneck
    return bottleneck.groups if isinstance(bottleneck, Quantised) else None


def raw_dtype(preprocessing: Preprocessing) -> np.dtype:
    """The type of the values of raw examples in an exported file."""
    if preprocessing.is_table:
        return np.dtype(np.float64)
    kind = np.dtype(preprocessing.raw_type).newbyteorder("=")
    return np.dtype(np.float64) if kind.kind == "f" and kind.itemsize > 8 else kind


def raw_shape(preprocessing: Preprocessing) -> tuple[int, ...]:
    """The shape of one raw example of an exported file, after resizing."""
    if preprocessing.is_table:
        return (len(preprocessing.columns),)
    shape = preprocessing.shape
    last = preprocessing.channels_last and len(shape) == 3
    return (*shape[1:], shape[0]) if last else shape


class _Array(nn.Module):
    """What both directions of arrays know: the type, the order of the axes, and the range."""

    low: Tensor
    span: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        low, high = (torch.as_tensor(each, dtype=torch.float64) for each in preprocessing.bounds)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", high - low, persistent=False)
        self.last = preprocessing.channels_last and len(preprocessing.shape) == 3
        self.kind = raw_dtype(preprocessing)
        self.bytes = preprocessing.stored == "uint8"
        # Other ranges need float64: large values with a small range.
        self.unit = self.kind.kind == "f" and preprocessing.low == 0 and preprocessing.high == 1


class ArrayToTensor(_Array):
    """`Preprocessing.__call__` for arrays: raw examples to floats in [0, 1], channels first."""

    def forward(self, raw: Tensor) -> Tensor:
        """[N, *raw] to float32 [N, *X]."""
        x = raw.permute(0, 3, 1, 2) if self.last else raw
        if self.bytes:
            return x.float() / 255
        if self.unit:
            return x.float().clamp(0, 1)
        return ((x.double() - self.low) / self.span).clamp(0, 1).float()


class TensorToArray(_Array):
    """`Preprocessing.inverse` for arrays: floats in [0, 1] to the units and the type of the data.

    Values outside of [0, 1] are clipped, and integers are rounded.
    """

    def forward(self, y: Tensor) -> Tensor:
        """[N, *X] to [N, *raw]."""
        y = y.clamp(0, 1)
        if self.bytes:
            y = y * 255
        elif not self.unit:
            y = self.low + y.double() * self.span
        if self.kind.kind in "iu":
            info = np.iinfo(self.kind)
            top = float(info.max)
            y = y.round().clamp(float(info.min), math.nextafter(top, 0) if top > info.max else top)
        y = y > 0.5 if self.kind.kind == "b" else y.to(torch_dtype(self.kind))
        return y.permute(0, 2, 3, 1) if self.last else y


class TableToTensor(nn.Module):
    """`Preprocessing.__call__` for rows: numbers are scaled, and positions become one-hot blocks.

    A missing value is NaN, and remains NaN.
    """

    source: Tensor
    category: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        # Of each preprocessed value: its column, and its category, −1 for a number.
        values = [
            (i, k if column.kind == "categorical" else -1, column.centre, column.scale)
            for i, column in enumerate(preprocessing.columns)
            for k in range(column.width)
        ]
        source, *others = zip(*values, strict=True)
        self.register_buffer("source", torch.tensor(source), persistent=False)
        for name, each in zip(("category", "centre", "scale"), others, strict=True):
            self.register_buffer(name, torch.tensor(each, dtype=torch.float64), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """float64 [N, columns] to float32 [N, D]."""
        values = raw.index_select(1, self.source)
        chosen = torch.where(torch.isnan(values), values, (values == self.category).double())
        numbers = (values - self.centre) / self.scale
        return torch.where(self.category < 0, numbers, chosen).float()


class TensorToTable(nn.Module):
    """`Preprocessing.inverse` for rows: numbers in their units, positions of categories."""

    first: Tensor
    blocks: Tensor
    centre: Tensor
    scale: Tensor
    order: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        columns = preprocessing.columns
        starts = np.cumsum([0, *(column.width for column in columns)])
        numbers = [i for i, column in enumerate(columns) if column.kind == "numeric"]
        named = [i for i, column in enumerate(columns) if column.kind != "numeric"]
        width = max([columns[i].width for i in named], default=0)
        # The positions of each block; those beyond its width are of a value that is added last.
        blocks = [
            [int(starts[i]) + k if k < columns[i].width else int(starts[-1]) for k in range(width)]
            for i in named
        ]
        order = np.argsort([*numbers, *named]).tolist()

        def floats(name: Any) -> Tensor:
            return torch.tensor([getattr(columns[i], name) for i in numbers], dtype=torch.float64)

        first = torch.tensor(starts[numbers].tolist(), dtype=torch.int64)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("blocks", torch.tensor(blocks, dtype=torch.int64), persistent=False)
        self.register_buffer("centre", floats("centre"), persistent=False)
        self.register_buffer("scale", floats("scale"), persistent=False)
        self.register_buffer("order", torch.tensor(order, dtype=torch.int64), persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """[N, D] to float64 [N, columns]."""
        rows = self.centre + y.index_select(1, self.first).double() * self.scale
        if self.blocks.numel():
            padded = torch.cat([y, torch.full_like(y[:, :1], -torch.inf)], 1)
            every = padded.index_select(1, self.blocks.flatten())
            best = every.reshape(-1, *self.blocks.shape).argmax(-1)
            rows = torch.cat([rows, best.double()], 1)
        return rows.index_select(1, self.order)


def torch_dtype(kind: np.dtype) -> torch.dtype:
    """The type of a tensor with the values of an array."""
    return torch.from_numpy(np.zeros(0, kind)).dtype
