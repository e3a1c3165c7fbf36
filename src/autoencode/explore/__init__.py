"""Functions on codes: interpolation, grids, traversals, projections, neighbours."""

from autoencode.explore.neighbours import neighbours
from autoencode.explore.paths import interpolate, lattice, traverse
from autoencode.explore.plane import Plane, code_plane
from autoencode.explore.projection import METHODS, project
from autoencode.explore.random_codes import in_class, uniform_like

__all__ = [
    "METHODS",
    "Plane",
    "code_plane",
    "in_class",
    "interpolate",
    "lattice",
    "neighbours",
    "project",
    "traverse",
    "uniform_like",
]
