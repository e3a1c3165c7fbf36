"""Priors: distributions p(z) of the codes."""

from autoencode.contract import Prior
from autoencode.parts.registry import find_parts

PRIORS: dict[str, type[Prior]] = find_parts(__name__)
