"""The parts that fill the slots of a recipe, one table per slot.

A part does not import parts of another slot.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from autoencode.parts.bottlenecks import BOTTLENECKS
from autoencode.parts.contexts import CONTEXTS
from autoencode.parts.corruptions import CORRUPTIONS
from autoencode.parts.likelihoods import LIKELIHOODS
from autoencode.parts.networks import NETWORKS
from autoencode.parts.priors import PRIORS
from autoencode.parts.samplers import SAMPLERS
from autoencode.parts.terms import TERMS

# Slot of a recipe -> table of its parts, name -> class.
SLOTS: Mapping[str, Mapping[str, type[Any]]] = MappingProxyType(
    {
        "network": NETWORKS,
        "bottleneck": BOTTLENECKS,
        "likelihood": LIKELIHOODS,
        "prior": PRIORS,
        "corruption": CORRUPTIONS,
        "context": CONTEXTS,
        "sampler": SAMPLERS,
        "terms": TERMS,
    }
)

__all__ = [
    "BOTTLENECKS",
    "CONTEXTS",
    "CORRUPTIONS",
    "LIKELIHOODS",
    "NETWORKS",
    "PRIORS",
    "SAMPLERS",
    "SLOTS",
    "TERMS",
]
