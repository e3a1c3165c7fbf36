"""Samplers: distributions of codes, fitted to the codes of a trained model."""

from autoencode.contract import Sampler
from autoencode.parts.samplers.discrete import Autoregressive, Book
from autoencode.parts.samplers.gaussian import FullNormal, Mixture
from autoencode.parts.samplers.learned import Flow, TwoStage

SAMPLERS: dict[str, type[Sampler]] = {
    "normal": FullNormal,
    "mixture": Mixture,
    "flow": Flow,
    "two-stage": TwoStage,
    "autoregressive": Autoregressive,
}

__all__ = ["SAMPLERS", "Book"]
