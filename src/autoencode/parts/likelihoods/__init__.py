"""Likelihoods: they convert the output of the decoder network to p(x|z)."""

from autoencode.contract import Likelihood
from autoencode.parts.likelihoods.ms_ssim import MSSSIM
from autoencode.parts.likelihoods.pixels import (
    BernoulliPixels,
    Gaussian,
    LaplacePixels,
    LearnedScaleGaussian,
)

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "gaussian-learned": LearnedScaleGaussian,
    "bernoulli": BernoulliPixels,
    "laplace": LaplacePixels,
    "ms-ssim": MSSSIM,
}

__all__ = ["LIKELIHOODS"]
