"""Top-k codes of vectors, whose one layer becomes a dictionary of directions."""

from __future__ import annotations

from autoencode.data import Data
from autoencode.models.recipe import Recipe, Spec
from autoencode.models.recipes.base import DICTIONARY, NORMALISED, OF_DICTIONARY, REVIVED

# The network and the bottlenecks of the recipes of top-k codes for images.
ONE_LAYER, TOP_K = Spec("mlp", {"hidden": ()}), ("top-k", "batch-top-k")


def as_dictionary(recipe: Recipe, data: Data) -> tuple[Recipe, list[str]]:
    """The recipe with a dictionary for vectors, and a sentence, where it has one layer and top-k.

    Features that are normalised over the batch keep units alive on images, where most of a layer's
    random weights respond to nothing. On vectors they hide how often a direction occurs.
    """
    bottleneck, likelihood = recipe.bottleneck, recipe.likelihood
    fits = len(data.shape) == 1 and recipe.context is None and recipe.network == ONE_LAYER
    if not fits or bottleneck.kind not in TOP_K or "norm" in bottleneck.args:
        return recipe, []
    if likelihood.kind == "gaussian":
        likelihood = Spec("gaussian", {"mean": "identity", **likelihood.args})
    training = {**recipe.training}
    for name, value in OF_DICTIONARY.items():
        if training.get(name) == NORMALISED[name]:
            training[name] = value
    adapted = recipe.but(
        network=DICTIONARY,
        bottleneck=Spec(bottleneck.kind, {**bottleneck.args, "norm": "none"}),
        likelihood=likelihood,
        terms={"aux-k": REVIVED, **recipe.terms},
        training=training,
    )
    notice = (
        f"For vectors, {recipe.name} is trained with directions of norm 1 (network dictionary), "
        "without normalised features, and with the loss aux-k, which revives dead units; as for "
        "images: --set bottleneck.norm=batch."
    )
    return adapted, [notice]
