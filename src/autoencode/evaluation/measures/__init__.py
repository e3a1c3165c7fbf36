"""The measures of a trained model: each gives records from an `EvaluationContext`.

A measure without a meaning for the model or its data gives none.
"""

from collections.abc import Callable, Iterator, Mapping

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.measures import (
    codes,
    disentanglement,
    gaps,
    generation,
    imputation,
    latent_space,
    likelihood,
    objective,
    reconstruction,
    robustness,
)
from autoencode.evaluation.records import Record

MEASURES: Mapping[str, Callable[[EvaluationContext], Iterator[Record]]] = {
    "reconstruction": reconstruction.measure,
    "objective": objective.measure,
    "codes": codes.measure,
    "imputation": imputation.measure,
    "likelihood": likelihood.measure,
    "space": latent_space.measure,
    "generation": generation.measure,
    "gaps": gaps.measure,
    "shift": robustness.measure,
    "disentanglement": disentanglement.measure,
}
# The measures that take seconds, at the end of every training.
QUICK = ("reconstruction", "objective", "codes", "imputation")
# The options of `EvaluationContext` that a measure depends on.
OPTIONS: Mapping[str, tuple[str, ...]] = {"likelihood": ("samples", "images")}

__all__ = ["MEASURES", "OPTIONS", "QUICK"]
