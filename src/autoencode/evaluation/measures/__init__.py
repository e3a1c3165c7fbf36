"""What can be measured of a trained model: each measure gives records from a subject.

A measure that has no meaning for the model or its data gives none.
"""

from collections.abc import Callable, Iterator, Mapping

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.measures import (
    codes,
    disentanglement,
    gaps,
    generation,
    likelihood,
    objective,
    reconstruction,
    shift,
    space,
)
from autoencode.evaluation.records import Record

MEASURES: Mapping[str, Callable[[EvaluationContext], Iterator[Record]]] = {
    "reconstruction": reconstruction.measure,
    "objective": objective.measure,
    "codes": codes.measure,
    "likelihood": likelihood.measure,
    "space": space.measure,
    "generation": generation.measure,
    "gaps": gaps.measure,
    "shift": shift.measure,
    "disentanglement": disentanglement.measure,
}
# Those that take seconds: what every training ends with.
QUICK = ("reconstruction", "objective", "codes")
# What a measure takes from `EvaluationContext` beside the model and its data.
OPTIONS: Mapping[str, tuple[str, ...]] = {"likelihood": ("samples", "images")}

__all__ = ["MEASURES", "OPTIONS", "QUICK"]
