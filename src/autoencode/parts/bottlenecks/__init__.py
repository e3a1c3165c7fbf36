"""Bottlenecks: they convert the output of the encoder network to a code."""

from autoencode.contract import Bottleneck
from autoencode.parts.bottlenecks.autoregressive import InverseAutoregressive
from autoencode.parts.bottlenecks.bounded import Bounded, Squashed
from autoencode.parts.bottlenecks.plain import Gaussian, Point, Rectified
from autoencode.parts.bottlenecks.planar import PlanarFlow
from autoencode.parts.bottlenecks.quantised import FiniteScalar, VectorQuantised
from autoencode.parts.bottlenecks.sparse import BatchTopK, TopK
from autoencode.parts.bottlenecks.sphere import Sphere

BOTTLENECKS: dict[str, type[Bottleneck]] = {
    "point": Point,
    "rectified": Rectified,
    "gaussian": Gaussian,
    "top-k": TopK,
    "batch-top-k": BatchTopK,
    "vq": VectorQuantised,
    "fsq": FiniteScalar,
    "squashed": Squashed,
    "bounded": Bounded,
    "sphere": Sphere,
    "planar": PlanarFlow,
    "inverse-autoregressive": InverseAutoregressive,
}

__all__ = ["BOTTLENECKS"]
