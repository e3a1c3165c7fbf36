"""Whether an exported file computes what the model computes, on the same raw data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Data, Preprocessing
from autoencode.models.conditions import conditioning
from autoencode.models.inference import decode, in_batches, seeded
from autoencode.models.label_model import LabelModel
from autoencode.use.export_formats import Outputs, Runner
from autoencode.use.export_graph import ExportedPart, raw_dtype, squared_error

BATCHES = (1, 2, 7, 33)


def largest_differences(
    model: Any, part: ExportedPart, run: Runner, data: Data | None
) -> dict[str, float]:
    """The largest difference of each output between a file and the model, over all batches.

    run: runs the file.
    data: their test examples are used; None for random ones.

    Codes, scores and rows are relative to their largest absolute value, or to 1 if that is larger;
    images are relative to the range of the data, without what rounding to its type explains, and
    rows to the scale of each column. The difference of a category is how much less probable it is
    than the most probable one.
    """
    x, context = _examples(model, data, sum(BATCHES), part.condition)
    preprocessing: Preprocessing = model.preprocessing
    raw = raw_examples(preprocessing, x)
    wanted = _computed_by_model(model, part, preprocess(preprocessing, raw), context)
    first = wanted["codes"].numpy() if part.part == "decoder" else raw
    found: list[Outputs] = []
    start = 0
    for size in BATCHES:
        inputs = [first[start : start + size]]
        if part.condition is not None:
            assert context is not None
            inputs.append(context[start : start + size].numpy())
        found.append(run([np.ascontiguousarray(each) for each in inputs]))
        start += size
    outputs = dict(
        zip(part.outputs, (np.concatenate(each) for each in zip(*found, strict=True)), strict=True)
    )
    return {name: _difference(name, values, wanted, model) for name, values in outputs.items()}


def raw_examples(preprocessing: Preprocessing, x: Tensor) -> np.ndarray:
    """Preprocessed examples [n, *X] as the raw input of an exported file, [n, *raw]."""
    raw = preprocessing.inverse(x)
    if preprocessing.is_table:
        return np.stack(
            [
                values.astype(np.float64)
                if column.kind == "numeric"
                else np.array([_position(value, column.categories) for value in values])
                for column, values in zip(preprocessing.columns, raw.T, strict=True)
            ],
            1,
        )
    return raw.astype(raw_dtype(preprocessing), copy=False)


def preprocess(preprocessing: Preprocessing, raw: np.ndarray) -> Tensor:
    """Raw input of an exported file, [n, *raw], as examples for the model: uint8 or float32."""
    last = preprocessing.channels_last and raw.ndim == 4
    return torch.from_numpy(preprocessing(np.moveaxis(raw, -1, 1) if last else raw).copy())


def _examples(
    model: Any, data: Data | None, n: int, condition: str | None
) -> tuple[Tensor, Tensor | None]:
    """Preprocessed examples [n, *X] with their labels [n] or vectors [n, C]."""
    sizes, preprocessing = model.sizes, model.preprocessing
    with seeded(0, torch.device("cpu")):
        if data is not None and len(data.test):
            chosen = torch.arange(n) % len(data.test)
            x = torch.as_tensor(data.test.x[chosen])
        elif preprocessing.is_table:
            x = _random_rows(preprocessing, n)
        else:
            x = torch.rand(n, *preprocessing.shape)
        if condition is None:
            return x, None
        if data is not None and len(data.test) and not isinstance(model, LabelModel):
            known = conditioning(model.recipe, data.test)
            assert known is not None
            return x, known[chosen] if condition == "labels" else known[chosen].float()
        if condition == "labels":
            return x, torch.randint(-1, sizes.context, (n,))
        return x, torch.randn(n, sizes.context)


def _random_rows(preprocessing: Preprocessing, n: int) -> Tensor:
    blocks = []
    for column in preprocessing.columns:
        block = torch.randn(n, 1)
        if column.kind == "categorical":
            block = torch.eye(column.width)[torch.randint(column.width, (n,))]
        if preprocessing.missing:
            block[torch.rand(n) < 0.2] = torch.nan
        blocks.append(block)
    return torch.cat(blocks, 1)


def _computed_by_model(
    model: Any, part: ExportedPart, x: Tensor, context: Tensor | None
) -> dict[str, Tensor]:
    """What the model computes, through its public methods, before the inverse of preprocessing."""

    def outputs(x: Tensor, context: Tensor | None) -> dict[str, Tensor]:
        codes, y = model.forward(x, context)
        found = {"codes": codes, "y": y, "score": squared_error(x, y, part.missing)}
        if isinstance(model, LabelModel):
            found["probabilities"] = model.predict_proba(x)
        if part.groups:
            index = model.encode(x, context).index
            assert index is not None
            found["indices"] = index
        return found

    given = None if isinstance(model, LabelModel) else context
    batches = in_batches(model, x, outputs, "", context=given)
    found = {name: torch.cat([each[name].cpu() for each in batches]) for name in batches[0]}
    if part.part == "decoder":
        found["y"] = decode(model, found["codes"], context).cpu()
    return found


def _difference(name: str, found: np.ndarray, wanted: Mapping[str, Tensor], model: Any) -> float:
    preprocessing: Preprocessing = model.preprocessing
    if name == "rows":
        each = _of_rows(preprocessing, found, wanted["y"])
    elif name == "images":
        each = _of_images(preprocessing, found, wanted["y"])
    else:
        expected = wanted[name].double().numpy()
        each = np.abs(found - expected) / max(1, np.abs(expected).max())
    # A difference that is NaN is none that could be accepted, unless both values are missing.
    return float(np.inf if np.isnan(each).any() else each.max())


def _of_images(preprocessing: Preprocessing, found: np.ndarray, y: Tensor) -> np.ndarray:
    exact = replace(preprocessing, raw_type="float64")
    low, high = exact.inverse(torch.zeros_like(y)), exact.inverse(torch.ones_like(y))
    difference = np.abs(found.astype(np.float64) - exact.inverse(y.clamp(0, 1)))
    # What the type of the data cannot hold is no difference of the file.
    rounding = 0.5 if found.dtype.kind in "iub" else np.spacing(np.abs(found)).astype(np.float64)
    each: np.ndarray = (difference - rounding).clip(0) / (high - low)
    return each


def _of_rows(preprocessing: Preprocessing, found: np.ndarray, y: Tensor) -> np.ndarray:
    differences, start = [], 0
    for column, values in zip(preprocessing.columns, found.T, strict=True):
        block = y[:, start : start + column.width].double().numpy()
        start += column.width
        if column.kind == "numeric":
            scaled = (values - column.centre) / column.scale
            expected = block[:, 0]
            differences.append(np.abs(scaled - expected) / max(1, np.abs(expected).max()))
        else:
            chosen = block[np.arange(len(block)), values.astype(int)]
            differences.append(block.max(1) - chosen)
    return np.stack(differences)


def _position(name: Any, categories: tuple[str, ...]) -> float:
    return np.nan if name is None else float(categories.index(name))
