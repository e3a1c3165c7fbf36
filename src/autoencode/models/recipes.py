"""THE TABLE: every named autoencoder is one row."""

from __future__ import annotations

from autoencode.errors import RecipeError, did_you_mean
from autoencode.models.recipe import Recipe
from autoencode.models.rows.first import first
from autoencode.models.rows.images import for_images
from autoencode.models.rows.labels import with_labels
from autoencode.models.rows.objectives import bounds_and_factors, matched
from autoencode.models.rows.regularised import regularised
from autoencode.models.rows.spaces import discrete_and_fitted, priors_and_posteriors

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
RECIPES: dict[str, Recipe] = {row.name: row for family in FAMILIES for row in family()}


def recipe_named(name: str) -> Recipe:
    """The row of that name.

    Raises:
        RecipeError: there is none, with the nearest name.
    """
    if name not in RECIPES:
        raise RecipeError(f'There is no recipe "{name}"', did_you_mean(name, RECIPES))
    return RECIPES[name]
