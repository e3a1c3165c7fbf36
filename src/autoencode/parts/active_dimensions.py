"""How many dimensions of a sparse code are active."""

from __future__ import annotations

from autoencode.contract import Sizes
from autoencode.errors import RecipeError

# By default one of this number of latent dimensions is active.
DIMENSIONS_PER_ACTIVE = 40


def active_dimensions(sizes: Sizes, k: int | None, name: str) -> int:
    """The number k of active dimensions per code; None is latent / 40, at least 1.

    name: of k in a recipe.

    Raises:
        RecipeError: k is larger than the number of latent dimensions.
    """
    if k is not None and k > sizes.latent:
        raise RecipeError(
            f"A code of {sizes.latent} dimensions cannot have {k} active dimensions",
            f"Use --latent {k * DIMENSIONS_PER_ACTIVE}, or a smaller {name}.",
        )
    return k or max(1, sizes.latent // DIMENSIONS_PER_ACTIVE)
