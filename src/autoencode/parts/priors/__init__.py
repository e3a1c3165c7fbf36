"""Priors: distributions p(z) of the codes."""

from autoencode.contract import Prior
from autoencode.parts.priors.flow import Flow
from autoencode.parts.priors.learned import NormalMixture, Vamp
from autoencode.parts.priors.simple import StandardNormal, UniformInBox, UniformOnSphere

PRIORS: dict[str, type[Prior]] = {
    "normal": StandardNormal,
    "uniform": UniformInBox,
    "sphere-uniform": UniformOnSphere,
    "mixture": NormalMixture,
    "vamp": Vamp,
    "flow": Flow,
}

__all__ = ["PRIORS"]
