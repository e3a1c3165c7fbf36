"""Networks: pairs of encoder and decoder."""

from autoencode.contract import Network
from autoencode.parts.networks.conv import Conv
from autoencode.parts.networks.mlp import MLP

NETWORKS: dict[str, type[Network]] = {"mlp": MLP, "conv": Conv}

__all__ = ["MLP", "NETWORKS", "Conv"]
