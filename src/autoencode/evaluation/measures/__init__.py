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
    principal,
    reconstruction,
    robustness,
)
from autoencode.evaluation.records import Record

MEASURES: Mapping[str, Callable[[EvaluationContext], Iterator[Record]]] = {
    "reconstruction": reconstruction.measure,
    "pca": principal.measure,
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
QUICK = ("reconstruction", "pca", "objective", "codes", "imputation")
# The options of `EvaluationContext` that a measure depends on.
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "pca": ("latent",),
    "likelihood": ("samples", "images", "precision"),
}
# What a measure leaves out of new data, without a training part: some metrics, or all, ().
NEED_TRAIN: Mapping[str, tuple[str, ...]] = {
    "reconstruction": ("squared_error_of_mean",),
    "pca": (),
    "generation": (),
    "gaps": (),
    "disentanglement": (),
}
# The same if the test examples have labels.
NEED_TRAIN_LABELS: Mapping[str, tuple[str, ...]] = {
    "codes": ("knn_accuracy",),
    "space": ("linear_probe_accuracy", "silhouette", "kmeans_accuracy"),
    "shift": ("knn_accuracy of changed inputs",),
}

__all__ = ["MEASURES", "NEED_TRAIN", "NEED_TRAIN_LABELS", "OPTIONS", "QUICK"]
