"""Which models are meant to have sparse codes, and which units of a code are active."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from autoencode.evaluation.thresholds import MIN_ACTIVE_LOGISTIC
from autoencode.models.recipe import Recipe
from autoencode.parts import BOTTLENECKS

# Terms that penalise active dimensions, whatever the bottleneck is.
SPARSE_TERMS = ("l1", "kl-sparsity")


def is_sparse(recipe: Recipe) -> bool:
    """Whether a recipe has a bottleneck or a term for sparse codes."""
    terms = {term.kind for term in recipe.terms.values()}
    bottleneck = BOTTLENECKS.get(recipe.bottleneck.kind)
    return getattr(bottleneck, "sparse", False) or not terms.isdisjoint(SPARSE_TERMS)


def by_logistic(recipe: Recipe) -> bool:
    """Whether a term counts a unit as active by the logistic function of its code."""
    return "kl-sparsity" in {term.kind for term in recipe.terms.values()}


def active_units(codes: Float[Tensor, "n d"], recipe: Recipe) -> Bool[Tensor, "n d"]:
    """Which units are active: not 0, or as the term "kl-sparsity" counts them."""
    return codes.sigmoid() > MIN_ACTIVE_LOGISTIC if by_logistic(recipe) else codes != 0
