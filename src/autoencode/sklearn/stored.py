"""A trained model as bytes, which an estimator keeps, and the model that is built from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from autoencode.contract import Sizes
from autoencode.data import Preprocessing, scaled
from autoencode.io.tensors import packed_tensors, unpacked_tensors
from autoencode.models.build import Model, build
from autoencode.models.inference import BATCH_SIZE, measuring, split
from autoencode.models.recipe import Recipe


def packed(model: Model) -> bytes:
    """Weights, recipe, sizes and preprocessing of a trained model as bytes of a safetensors file.

    Equal models give equal bytes. Nothing is pickled.
    """
    assert model.preprocessing is not None  # a trained model
    meta = {
        "recipe": model.recipe.to_dict(),
        "sizes": asdict(model.sizes),
        "preprocessing": model.preprocessing.to_dict(),
    }
    return packed_tensors(model.state_dict(), meta)


def unpacked(content: bytes) -> Model:
    """The model of `packed`, on the CPU and in evaluation mode.

    Raises:
        RunError: the bytes are damaged.
    """
    tensors, meta = unpacked_tensors(content, "The model of this estimator")
    x, z = (tuple(meta["sizes"].pop(name)) for name in "xz")
    model = build(Recipe.from_dict(meta["recipe"]), Sizes(x, z, **meta["sizes"]), seed=0)
    model.load_state_dict(tensors)
    model.preprocessing = Preprocessing.from_dict(meta["preprocessing"])
    return model.eval()


@lru_cache(maxsize=4)
def exact_model(content: bytes) -> Model:
    """The model of `packed` in float64, which is never changed.

    In float64 the result for a row does not depend on the other rows of its batch; in float32 it
    does in the seventh digit, because sums are added in another order.
    """
    return unpacked(content).double()


def by_batch(
    model: Model,
    x: Tensor,
    context: Tensor | None,
    measure: Callable[[Tensor, Tensor | None], Tensor],
) -> Any:
    """The results [N, ...] of a function for batches of preprocessed examples, as a NumPy array.

    x: [N, *X].   measure: receives examples [B, *X] in float64 and their context.
    """
    results, start = [], 0
    with measuring(model):
        for batch in split(x, BATCH_SIZE):
            end = start + len(batch)
            own = None if context is None else context[start:end]
            results.append(measure(scaled(batch).double(), own))
            start = end
    return torch.cat(results).numpy()
