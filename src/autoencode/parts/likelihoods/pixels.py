"""Likelihoods in which pixels are independent given the code."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Laplace, Normal

from autoencode import maths
from autoencode.contract import Likelihood, Sizes, Within
from autoencode.maths import SharedScaleNormal, widen

Mean = Literal["sigmoid", "identity"]
# With this scale −ln p(x|z) is the squared error plus a constant.
SQUARED_ERROR_SCALE = math.sqrt(0.5)
Scale = Annotated[float, Within(1e-3, 1e3)]
# A learned scale is at least e⁻⁶, so that the density stays finite.
MIN_LOG_SCALE = -6.0
# A scale that the network gives is at most e⁶.
MAX_LOG_SCALE = 6.0
# `Likelihood.affine` of a mean that is θ.
IDENTITY = (0.0, 1.0)
MEANS: dict[Mean, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "identity": lambda theta: theta,
}


def mean_function(mean: Mean | None, sizes: Sizes) -> Callable[[Tensor], Tensor]:
    """The function from outputs of the decoder to the mean; by default one for the data's range."""
    return MEANS[mean or ("sigmoid" if sizes.bounded else "identity")]


def affine_mean(mean: Mean | None, sizes: Sizes) -> tuple[float, float] | None:
    """`Likelihood.affine` of `mean_function`."""
    return IDENTITY if mean_function(mean, sizes) is MEANS["identity"] else None


def start_of_scale(x: Tensor) -> Tensor:
    """Where a learned scale starts: a quarter of the deviation from the mean example, [].

    A model that has learned anything has a smaller error than the deviation. From a larger start
    the scale may not reach the error before the learning rate has fallen.
    x: examples [N, *X]; NaN is left out.
    """
    deviation = (x - x.nanmean(0)).square().nanmean().sqrt()
    return (deviation / 4).clamp(min=math.exp(MIN_LOG_SCALE))


def log_scale_of(variance: float) -> float:
    """ln σ of a learned scale with this variance."""
    return max(MIN_LOG_SCALE, 0.5 * math.log(max(variance, 1e-30)))


class Gaussian(Likelihood):
    """Normal likelihood with a fixed scale, p(x|z) = N(mean(θ), scale² I): squared error.

    −ln p(x|z) = ‖x − mean(θ)‖² / (2 scale²) + n ln scale + ½ n ln 2π for n values. With the default
    scale √½ the first summand is the squared error, summed over pixels.
    """

    name = "gaussian"

    def __init__(
        self, sizes: Sizes, scale: Scale = SQUARED_ERROR_SCALE, mean: Mean | None = None
    ) -> None:
        super().__init__(sizes)
        self.mean, self.affine = mean_function(mean, sizes), affine_mean(mean, sizes)
        self.register_buffer("scale", torch.tensor(float(scale)), persistent=False)

    def noise_variance(self) -> float | None:
        """scale²."""
        return self.get_buffer("scale").square().item()

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        return SharedScaleNormal(self.mean(theta), self.get_buffer("scale"), len(self.sizes.x))


class LearnedScaleGaussian(Likelihood):
    """Normal likelihood whose scale, one for all pixels, is a learned parameter (σ-VAE).

    At the optimum scale² is the mean squared error per pixel, so that no weight of the KL term has
    to be chosen.  Source: [rybkin2021].

    scale: its value before training; None is a quarter of the deviation of the training examples.
    """

    name = "gaussian-learned"

    def __init__(self, sizes: Sizes, scale: Scale | None = None, mean: Mean | None = None) -> None:
        super().__init__(sizes)
        self.mean, self.affine = mean_function(mean, sizes), affine_mean(mean, sizes)
        self.from_data = scale is None
        self.log_scale = nn.Parameter(torch.tensor(float(scale or 0.5)).log())

    def initialise(self, x: Tensor) -> None:
        """Sets the scale by the training examples, unless the recipe gives it."""
        if self.from_data:
            self.log_scale.data.copy_(start_of_scale(x).log())

    def noise_variance(self) -> float | None:
        """scale² if the recipe gives it, else None."""
        return None if self.from_data else self.log_scale.exp().square().item()

    def set_noise_variance(self, variance: float) -> None:
        """Sets the scale, unless the recipe gives it."""
        if self.from_data:
            self.log_scale.data.fill_(log_scale_of(variance))

    def forward(self, theta: Tensor) -> Distribution:
        """As `Gaussian`, with the learned scale."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        scale = self.log_scale.clamp(min=MIN_LOG_SCALE).exp()
        return SharedScaleNormal(self.mean(theta), scale, len(self.sizes.x))


class HeteroscedasticGaussian(Likelihood):
    """Normal likelihood whose scale the network gives, p(x|z) = ∏ N(xᵢ; mean(θ)ᵢ, σᵢ²).

    ln σᵢ is a learned number, the same for all values, plus θ′ᵢ: an uncertain pixel may have a
    larger scale than a certain one.  Source: [kingma2014], appendix C.2.

    scale: "pixel", a scale of each value, or "image", one for each example: the mean of θ′.
    mean: as in "gaussian".
    """

    name = "gaussian-heteroscedastic"
    channels = 2

    def __init__(
        self, sizes: Sizes, scale: Literal["pixel", "image"] = "pixel", mean: Mean | None = None
    ) -> None:
        super().__init__(sizes)
        self.mean, self.affine = mean_function(mean, sizes), affine_mean(mean, sizes)
        self.by_image = scale == "image"
        self.log_scale = nn.Parameter(torch.tensor(0.5).log())

    def initialise(self, x: Tensor) -> None:
        """Sets the scale to a quarter of the deviation of the training examples."""
        self.log_scale.data.copy_(start_of_scale(x).log())

    def set_noise_variance(self, variance: float) -> None:
        """Sets the learned scale that all values share."""
        self.log_scale.data.fill_(log_scale_of(variance))

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 2, *X] to a distribution with batch [*S, B], event [*X]."""
        dims = len(self.sizes.x)
        loc, log_scale = widen(theta).unbind(-1 - dims)
        if self.by_image:
            event = tuple(range(-dims, 0))
            log_scale = log_scale.mean(event, keepdim=True).expand_as(loc)
        scale = (self.log_scale + log_scale).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE).exp()
        return Independent(Normal(self.mean(loc), scale, validate_args=False), dims)


class LaplacePixels(Likelihood):
    """Laplace likelihood, p(x|z) = ∏ Laplace(xᵢ; mean(θ)ᵢ, scale): absolute error.

    −ln p(x|z) = Σ |xᵢ − mean(θ)ᵢ| / scale + n ln 2 scale. It is less sensitive to outlier pixels
    than the squared error.
    """

    name = "laplace"

    def __init__(self, sizes: Sizes, scale: Scale = 1.0, mean: Mean | None = None) -> None:
        super().__init__(sizes)
        self.mean, self.affine = mean_function(mean, sizes), affine_mean(mean, sizes)
        self.scale = scale

    def noise_variance(self) -> float | None:
        """2 scale²."""
        return 2 * self.scale**2

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        each = Laplace(self.mean(theta), self.scale, validate_args=False)
        return Independent(each, len(self.sizes.x))


class BernoulliPixels(Likelihood):
    """Bernoulli likelihood, p(x|z) = ∏ Bernoulli(xᵢ; sigmoid(θᵢ)): binary cross-entropy.

    It is a likelihood of binary images. For grey values in [0, 1] it is the usual
    pseudo-likelihood, which cannot be compared with normalised likelihoods.
    Source: [kingma2014], appendix C.1.
    """

    name = "bernoulli"

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        return maths.BernoulliImages(theta, len(self.sizes.x))


class Auto(BernoulliPixels):
    """The likelihood that training chooses by the data; until then, "bernoulli".

    "bernoulli" for binary or nearly binary examples, see `models.default_likelihood`. A recipe has
    it where its paper does not fix the likelihood; the recipe of a run has the one that was chosen.
    """

    name = "auto"
