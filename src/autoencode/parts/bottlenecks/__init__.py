"""Bottlenecks: they convert the output of the encoder network to a code."""

from autoencode.contract import Bottleneck
from autoencode.parts.registry import find_parts

BOTTLENECKS: dict[str, type[Bottleneck]] = find_parts(__name__)
