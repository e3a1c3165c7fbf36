"""The labels or vectors of the data that condition a model."""

from __future__ import annotations

from torch import Tensor

from autoencode.data import Data, Split
from autoencode.errors import DataError
from autoencode.models.build import learns_labels
from autoencode.models.recipe import Recipe
from autoencode.parts import CONTEXTS


def context_width(recipe: Recipe, data: Data) -> int:
    """Number of features that condition a recipe's model on these data; 0 for none.

    Raises:
        DataError: the data lack the labels or vectors that the recipe needs.
    """
    found = conditioning(recipe, data.train, training=True)
    if found is None:
        return 0
    return len(data.classes) if found.dim() == 1 else found.shape[1]


def conditioning(recipe: Recipe, split: Split, *, training: bool = False) -> Tensor | None:
    """Labels [N] or vectors [N, C] that condition a recipe's model; None without a context.

    A semi-supervised model receives labels in training only, and is evaluated without them.

    Raises:
        DataError: the data lack the labels or vectors.
    """
    if recipe.context is None or (learns_labels(recipe) and not training):
        return None
    source = CONTEXTS[recipe.context.kind].source
    found = split.y if source == "labels" else split.context
    if found is None:
        raise DataError(
            f'Recipe "{recipe.name}" is conditioned on {source}, and these data have none',
            f"Give them: --{source} FILE (load_data(source, {source}=FILE)).",
        )
    return found
