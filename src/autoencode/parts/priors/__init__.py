"""Priors: how codes are meant to be distributed."""

from autoencode.contract import Prior
from autoencode.parts.priors.simple import StandardNormal

PRIORS: dict[str, type[Prior]] = {
    "normal": StandardNormal,
}

__all__ = ["PRIORS", "StandardNormal"]
