"""Bottlenecks: from the encoder's features to a code."""

from autoencode.contract import Bottleneck
from autoencode.parts.bottlenecks.plain import Gaussian, Point, Rectified

BOTTLENECKS: dict[str, type[Bottleneck]] = {
    "point": Point,
    "rectified": Rectified,
    "gaussian": Gaussian,
}

__all__ = ["BOTTLENECKS", "Gaussian", "Point", "Rectified"]
