"""Likelihoods: they convert the output of the decoder network to p(x|z)."""

from autoencode.contract import Likelihood
from autoencode.parts.registry import find_parts

LIKELIHOODS: dict[str, type[Likelihood]] = find_parts(__name__)
