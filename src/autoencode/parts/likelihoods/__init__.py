"""Likelihoods: from what the decoder says to p(x|z)."""

from autoencode.contract import Likelihood
from autoencode.parts.likelihoods.pixels import BernoulliPixels, Gaussian, LearnedScaleGaussian

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "gaussian": Gaussian,
    "gaussian-learned": LearnedScaleGaussian,
    "bernoulli": BernoulliPixels,
}

__all__ = ["LIKELIHOODS", "BernoulliPixels", "Gaussian", "LearnedScaleGaussian"]
