"""What fills the slots: a table from name to class for each; a part imports no other slot."""

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

# Slot of a recipe -> the parts that can fill it.
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
