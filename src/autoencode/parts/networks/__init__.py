"""Networks: architectures of encoder and decoder."""

from autoencode.contract import Network
from autoencode.parts.networks.custom import custom_network, is_custom
from autoencode.parts.registry import find_parts

NETWORKS: dict[str, type[Network]] = find_parts(__name__)


def network_class(kind: str) -> type[Network]:
    """The network class of a name in the table or of a user's file, see `custom_network`.

    Raises:
        RecipeError: the file has no such network.
        KeyError: the table has no such network.
    """
    return custom_network(kind) if is_custom(kind) else NETWORKS[kind]
