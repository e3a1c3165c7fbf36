"""What is known of the examples beside themselves, as a conditional model takes it."""

from __future__ import annotations

from torch import Tensor

from autoencode.data import Data, Split
from autoencode.errors import DataError
from autoencode.models.build import learns_labels
from autoencode.models.recipe import Recipe
from autoencode.parts import CONTEXTS


def context_width(recipe: Recipe, data: Data) -> int:
    """How many features condition a recipe's model on these data; 0 for none.

    Raises:
        DataError: the data lack what the recipe is conditioned on.
    """
    found = conditioning(recipe, data.train, training=True)
    if found is None:
        return 0
    return len(data.classes) if found.dim() == 1 else found.shape[1]


def conditioning(recipe: Recipe, split: Split, *, training: bool = False) -> Tensor | None:
    """Labels [N] or vectors [N, C] that condition a recipe's model; None without a context.

    A model that learns to tell labels gets them in training only: it is judged without.

    Raises:
        DataError: the data lack them.
    """
    if recipe.context is None or (learns_labels(recipe) and not training):
        return None
    source = CONTEXTS[recipe.context.kind].source
    found = split.y if source == "labels" else split.context
    if found is None:
        raise DataError(
            f'Recipe "{recipe.name}" is conditioned on {source}, and these data have none',
            "Give them: --labels FILE." if source == "labels" else "Give them: --vectors FILE.",
        )
    return found
