"""The table of recipes, by name.

>>> import autoencode as ae
>>> len(ae.RECIPES) > 50, ae.RECIPES["vae"].latent
(True, 2)
"""

from __future__ import annotations

from autoencode.errors import RecipeError, did_you_mean
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.first import first
from autoencode.models.recipes.images import for_images
from autoencode.models.recipes.labels import with_labels
from autoencode.models.recipes.objectives import bounds_and_factors, matched
from autoencode.models.recipes.regularised import regularised
from autoencode.models.recipes.spaces import discrete_and_fitted, priors_and_posteriors

FAMILIES = (
    first,
    regularised,
    with_labels,
    priors_and_posteriors,
    bounds_and_factors,
    matched,
    for_images,
    discrete_and_fitted,
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for family in FAMILIES for recipe in family()}


def recipe_named(name: str) -> Recipe:
    """The recipe of the given name.

    Raises:
        RecipeError: there is no such recipe; the message suggests the most similar name.
    """
    if name not in RECIPES:
        raise RecipeError(f'There is no recipe "{name}"', did_you_mean(name, RECIPES))
    return RECIPES[name]
