"""Pure functions on codes: where to go in latent space, and who lives there."""

from autoencode.explore.draws import in_box, like
from autoencode.explore.neighbours import neighbours
from autoencode.explore.paths import interpolate, lattice, traverse
from autoencode.explore.plane import Plane, code_plane
from autoencode.explore.projection import METHODS, project

__all__ = [
    "METHODS",
    "Plane",
    "code_plane",
    "in_box",
    "interpolate",
    "lattice",
    "like",
    "neighbours",
    "project",
    "traverse",
]
