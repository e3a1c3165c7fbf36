"""What terms share that look into a normal distribution."""

from __future__ import annotations

from torch.distributions import Distribution, Independent, Normal

from autoencode.errors import RecipeError


def normals_of(distribution: Distribution | None, who: str) -> Normal:
    """The normals of the single numbers of a code, [*batch, *Z].

    who: how the sentence begins when there are none: "The posterior".

    Raises:
        RecipeError: it is not a product of independent normals.
    """
    if isinstance(distribution, Independent) and isinstance(distribution.base_dist, Normal):
        return distribution.base_dist
    raise RecipeError(
        f"{who} is no product of independent normals, and this term is defined for one only",
        'Use bottleneck "gaussian" and prior "normal".',
    )
