"""Translates operators of PyTorch to operations of the graph that a page runs."""

from autoencode.explorer.operators.layers import LAYERS
from autoencode.explorer.operators.movement import MOVEMENT, VIEWS
from autoencode.explorer.operators.pointwise import POINTWISE
from autoencode.explorer.operators.reductions import REDUCTIONS
from autoencode.explorer.operators.windows import WINDOWS

OPERATORS = {**POINTWISE, **MOVEMENT, **REDUCTIONS, **WINDOWS, **LAYERS}

__all__ = ["OPERATORS", "VIEWS"]
