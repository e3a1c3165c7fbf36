"""Likelihoods of 8-bit images: distributions of the 256 levels of a value."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Likelihood, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import DiscretisedLogistic, DiscretisedLogisticMixture, widen
from autoencode.parts.likelihoods.pixels import Scale, start_of_scale

# Limits of ln s, for values in [0, 1]: at the lower one a level at the mean has probability 0.994.
LOG_SCALE_RANGE = (-8.0, 5.0)
# The scale s of a logistic distribution with standard deviation 1.
UNIT_SCALE = math.sqrt(3) / math.pi
# a and b of means a + b θ.
MEAN = (0.5, 0.5)


class _Levels(Likelihood):
    """What both likelihoods share: the start of the scale, and means and scales of the network.

    A mean is ½ + ½ θ, so that it is ½ where the network gives 0. ln s is a learned number, the same
    for all values, plus θ′.
    """

    def __init__(self, sizes: Sizes, scale: float | None) -> None:
        super().__init__(sizes)
        if not sizes.bounded:
            raise RecipeError(
                f"The {self.name} likelihood is of 8-bit images, and the values of tables are not "
                "in [0, 1]",
                "Use --set likelihood=table.",
            )
        self.from_data = scale is None
        self.log_scale = nn.Parameter(torch.tensor(float(scale or 0.1)).log())

    def initialise(self, x: Tensor) -> None:
        """Sets the scale by the training examples, unless the recipe gives it."""
        if self.from_data:
            self.log_scale.data.copy_((start_of_scale(x) * UNIT_SCALE).log())

    def loc_and_log_scale(self, loc: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """μ and ln s from outputs of the network, in their shape."""
        return MEAN[0] + MEAN[1] * loc, (self.log_scale + log_scale).clamp(*LOG_SCALE_RANGE)


class DiscretisedLogisticPixels(_Levels):
    """Discretised logistic likelihood, P(x|z) = ∏ [σ((xᵢ + h − μᵢ)/sᵢ) − σ((xᵢ − h − μᵢ)/sᵢ)].

    It is a probability of the 256 levels of an 8-bit value, h = 1/510, with the tails at the first
    and last level, so −ln P(x|z) is at least 0 and gives bits per dimension directly. The network
    gives mean and scale of each value. Values between two levels count as the nearest level.
    Source: [kingma2016], [salimans2017].

    scale: s before training; None is a quarter of the deviation of the training examples.

    Raises:
        RecipeError: examples are rows of a table.
    """

    name = "discretised-logistic"
    channels = 2
    affine = MEAN

    def __init__(self, sizes: Sizes, scale: Scale | None = None) -> None:
        super().__init__(sizes, scale)

    def noise_variance(self) -> float | None:
        """s² π² / 3 if the recipe gives s, else None."""
        return None if self.from_data else (self.log_scale.exp() / UNIT_SCALE).square().item()

    def set_noise_variance(self, variance: float) -> None:
        """Sets the scale, unless the recipe gives it."""
        if self.from_data:
            log_scale = 0.5 * math.log(max(variance, 1e-30)) + math.log(UNIT_SCALE)
            self.log_scale.data.fill_(min(max(log_scale, LOG_SCALE_RANGE[0]), LOG_SCALE_RANGE[1]))

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 2, *X] to a distribution with batch [*S, B], event [*X]."""
        dims = len(self.sizes.x)
        loc, log_scale = self.loc_and_log_scale(*widen(theta).unbind(-1 - dims))
        return DiscretisedLogistic(loc, log_scale, dims)


class MixturePixels(_Levels):
    """Mixture of K discretised logistics, P(x|z) = ∏ Σₖ πₖ ∏_c P(x_c; μₖ_c, sₖ_c).

    The outer product is over pixels, the inner one over the channels of a colour image, which share
    the component of their pixel; the mean of one channel does not depend on the values of others.
    The network gives weights, means and scales. Each component is as in "discretised-logistic".
    Source: [salimans2017].

    components: K.     scale: as in "discretised-logistic".

    Raises:
        RecipeError: examples are rows of a table.
    """

    name = "discretised-logistic-mixture"

    def __init__(
        self,
        sizes: Sizes,
        components: Annotated[int, Within(1, 100)] = 5,
        scale: Scale | None = None,
    ) -> None:
        super().__init__(sizes, scale)
        self.channels = 3 * components

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 3 K, *X] to a distribution with batch [*S, B], event [*X]."""
        dims = len(self.sizes.x)
        logits, loc, log_scale = widen(theta).chunk(3, -1 - dims)
        if dims == 3:
            logits = logits.sum(-3, keepdim=True)
        loc, log_scale = self.loc_and_log_scale(loc, log_scale)
        return DiscretisedLogisticMixture(logits.log_softmax(-1 - dims), loc, log_scale, dims)
