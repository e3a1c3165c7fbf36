"""Access to the normal distribution of each latent dimension."""

from __future__ import annotations

from torch.distributions import Distribution, Independent, Normal

from autoencode.errors import RecipeError


def normals_of(distribution: Distribution | None, name: str) -> Normal:
    """The normal distributions of the single latent dimensions, [*batch, *Z].

    name: subject of the error message, such as "The posterior".

    Raises:
        RecipeError: `distribution` is not a product of independent normals.
    """
    if isinstance(distribution, Independent) and isinstance(distribution.base_dist, Normal):
        return distribution.base_dist
    raise RecipeError(
        f"{name} is not a product of independent normals, which this term needs",
        'Use bottleneck "gaussian" and prior "normal".',
    )
