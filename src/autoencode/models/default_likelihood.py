"""The likelihood of recipes whose paper does not fix one, chosen by the training examples."""

from __future__ import annotations

import torch

from autoencode.data import Data, scaled
from autoencode.models.recipe import Spec

# The likelihood of a recipe that is to be replaced by the one chosen here.
AUTO = "auto"
BINARY = Spec("bernoulli")
# Of 8-bit values that are not binary, and of values with more levels.
BYTES, FLOATS = Spec("discretised-logistic"), Spec("gaussian-learned")
# Examples are nearly binary if at most this share of their values is between these two.
MAX_SHARE_BETWEEN, BETWEEN = 0.2, (0.1, 0.9)
# Values of training examples that are looked at.
MAX_VALUES = 2**22


def default_likelihood(data: Data) -> tuple[Spec, str]:
    """The likelihood for images or vectors with values in [0, 1], and a sentence on the choice.

    "bernoulli" if at most 20 % of the values of the training part are between 0.1 and 0.9, as in
    MNIST (9 %): the values are bits, or nearly. Otherwise they have many levels, and their
    Bernoulli likelihood would be a pseudo-likelihood.
    """
    low, high = BETWEEN
    train = data.train
    if train.random or data.options.get("binarise"):
        return BINARY, _sentence(BINARY, "the values are drawn as bits (binarise)")
    values = len(train.x) * train.x[:1].numel()
    x = scaled(train.x[:: max(1, values // MAX_VALUES)])
    between = ((x > low) & (x < high)).double().mean().item()
    why = f"{between:.1%} of the training values are between {low} and {high}"
    if between <= MAX_SHARE_BETWEEN:
        return BINARY, _sentence(BINARY, f"{why}: they are nearly binary")
    chosen = BYTES if train.x.dtype == torch.uint8 else FLOATS
    kind = "8-bit values" if chosen is BYTES else "values with many levels"
    return chosen, _sentence(chosen, f"{why}: they are {kind}, and bernoulli is for binary ones")


def _sentence(chosen: Spec, why: str) -> str:
    return (
        f"The likelihood is {chosen.kind}, because {why} (another: --set likelihood=NAME, in "
        'Python recipe.set("likelihood", "NAME")).'
    )
