"""What each operator of PyTorch becomes in a graph for a page."""

from autoencode.serve.operators.layers import LAYERS
from autoencode.serve.operators.movement import MOVEMENT, VIEWS
from autoencode.serve.operators.norms import NORMS
from autoencode.serve.operators.pointwise import POINTWISE
from autoencode.serve.operators.reductions import REDUCTIONS
from autoencode.serve.operators.windows import WINDOWS

OPERATORS = {**POINTWISE, **MOVEMENT, **REDUCTIONS, **WINDOWS, **LAYERS, **NORMS}

__all__ = ["OPERATORS", "VIEWS"]
