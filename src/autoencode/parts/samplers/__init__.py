"""Samplers: distributions of codes, fitted to the codes of a trained model."""

from autoencode.contract import Sampler
from autoencode.parts.registry import find_parts

SAMPLERS: dict[str, type[Sampler]] = find_parts(__name__)
