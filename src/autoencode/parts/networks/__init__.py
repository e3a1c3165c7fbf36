"""Networks: pairs of encoder and decoder."""

from autoencode.contract import Network
from autoencode.parts.networks.conv import Conv
from autoencode.parts.networks.custom import custom_network, is_custom
from autoencode.parts.networks.mlp import MLP
from autoencode.parts.networks.resnet import ResNet

NETWORKS: dict[str, type[Network]] = {"mlp": MLP, "conv": Conv, "resnet": ResNet}


def network_class(kind: str) -> type[Network]:
    """The network of that name in the table, or of the user's own file, see `custom_network`.

    Raises:
        RecipeError: the file has no such network.   KeyError: nor has the table.
    """
    return custom_network(kind) if is_custom(kind) else NETWORKS[kind]


__all__ = ["MLP", "NETWORKS", "Conv", "ResNet", "network_class"]
