"""Evaluation of trained models: metrics with units, on data that training has never seen."""

from autoencode.evaluation.cache import MetricsCache
from autoencode.evaluation.classifier import Classifier, label_fidelity, trained_classifier
from autoencode.evaluation.evaluate import evaluate
from autoencode.evaluation.features import Features, features_of
from autoencode.evaluation.headlines import Headline, headlines
from autoencode.evaluation.likelihood import (
    likelihood_bounds,
    log_likelihood,
    rounding_error,
)
from autoencode.evaluation.measures import MEASURES, QUICK
from autoencode.evaluation.metrics.class_probes import knn_hits, linear_probe_hits
from autoencode.evaluation.metrics.clusters import (
    adjusted_rand,
    kmeans_clusters,
    matched_accuracy,
    normalised_mutual_information,
    silhouette,
)
from autoencode.evaluation.metrics.disentanglement import (
    dci,
    factor_vae_score,
    modularity,
    mutual_information_gap,
    sap,
)
from autoencode.evaluation.metrics.generation import (
    copies,
    density_coverage,
    diversity,
    frechet_distance,
    gap_share,
    precision_recall,
    uncertain_share,
)
from autoencode.evaluation.metrics.intervals import bootstrap, bootstrap_of
from autoencode.evaluation.metrics.neighbourhoods import (
    continuity,
    intrinsic_dimension,
    trustworthiness,
)
from autoencode.evaluation.metrics.prior import active_units, maximum_mean_discrepancy
from autoencode.evaluation.metrics.quality import ms_ssim, psnr, squared_error, ssim
from autoencode.evaluation.posteriors import aggregate_divergence, kl_per_dimension
from autoencode.evaluation.projections import Projection, projected, saved_projection
from autoencode.evaluation.records import Evaluation, Record
from autoencode.models.inference import decode, embed, reconstruct

__all__ = [
    "MEASURES",
    "QUICK",
    "Classifier",
    "Evaluation",
    "Features",
    "Headline",
    "MetricsCache",
    "Projection",
    "Record",
    "active_units",
    "adjusted_rand",
    "aggregate_divergence",
    "bootstrap",
    "bootstrap_of",
    "continuity",
    "copies",
    "dci",
    "decode",
    "density_coverage",
    "diversity",
    "embed",
    "evaluate",
    "factor_vae_score",
    "features_of",
    "frechet_distance",
    "gap_share",
    "headlines",
    "intrinsic_dimension",
    "kl_per_dimension",
    "kmeans_clusters",
    "knn_hits",
    "label_fidelity",
    "likelihood_bounds",
    "linear_probe_hits",
    "log_likelihood",
    "matched_accuracy",
    "maximum_mean_discrepancy",
    "modularity",
    "ms_ssim",
    "mutual_information_gap",
    "normalised_mutual_information",
    "precision_recall",
    "projected",
    "psnr",
    "reconstruct",
    "rounding_error",
    "sap",
    "saved_projection",
    "silhouette",
    "squared_error",
    "ssim",
    "trained_classifier",
    "trustworthiness",
    "uncertain_share",
]
