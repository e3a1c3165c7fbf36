"""Distributions and divergences that torch lacks, and the arithmetic that models share."""

from autoencode.maths.normal import SharedScaleNormal, standard_normal
from autoencode.maths.precision import Float32Linear, widen

__all__ = ["Float32Linear", "SharedScaleNormal", "standard_normal", "widen"]
