"""Networks: architectures of encoder and decoder."""

from autoencode.contract import Network
from autoencode.parts.networks.conv import Conv
from autoencode.parts.networks.custom import custom_network, is_custom
from autoencode.parts.networks.mlp import MLP
from autoencode.parts.networks.resnet import ResNet

NETWORKS: dict[str, type[Network]] = {"mlp": MLP, "conv": Conv, "resnet": ResNet}


def network_class(kind: str) -> type[Network]:
    """The network class of a name in the table or of a user's file, see `custom_network`.

    Raises:
        RecipeError: the file has no such network.
        KeyError: the table has no such network.
    """
    return custom_network(kind) if is_custom(kind) else NETWORKS[kind]


__all__ = ["MLP", "NETWORKS", "Conv", "ResNet", "network_class"]
