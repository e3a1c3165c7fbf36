"""The title of each metric, its group, and whether lower or higher is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from autoencode.evaluation.records import TERM_PREFIX

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class MetricInfo:
    """The title of a metric, and how to read its value.

    better: None if neither lower nor higher is better.
    share: a fraction, shown in percent.
    density: nats of a density of x, which compare under one likelihood only.
    """

    title: str
    better: Better | None = None
    share: bool = False
    density: bool = False


_lower, _higher = (partial(MetricInfo, better=better) for better in get_args(Better))
_CHANGES = {
    "noise": "noisy",
    "masking": "masked",
    "blur": "blurred",
    "occlusion": "occluded",
    "turn_15": "rotated by 15°",
    "turn_30": "rotated by 30°",
}

# Group -> metrics, in the order in which they are shown.
METRICS: Mapping[str, Mapping[str, MetricInfo]] = {
    "Reconstruction": {
        "squared_error": _lower("MSE (sum over values)"),
        "squared_error_of_pca": MetricInfo("MSE of PCA"),
        "squared_error_above_pca": MetricInfo("MSE above that of PCA"),
        "pca_dimensions": MetricInfo("Dimensions of PCA"),
        "squared_error_stderr": MetricInfo("Standard error of the MSE"),
        "squared_error_per_pixel": _lower("MSE per value"),
        "psnr": _higher("PSNR"),
        "ssim": _higher("SSIM"),
        "ms_ssim": _higher("MS-SSIM"),
        "squared_error_of_mean": MetricInfo("MSE of the mean example"),
        "unexplained_variance": _lower("Fraction of variance unexplained"),
        "r2": _higher("R², of tables the mean over columns"),
        "r2_of_pca": MetricInfo("R² of PCA"),
        "column_accuracy": _higher("Accuracy of categorical columns", share=True),
        "missing_share": MetricInfo("Missing values", share=True),
        "restored_squared_error": _lower("Denoising MSE"),
        "corrupted_squared_error": MetricInfo("MSE of corrupted inputs"),
        "imputation": _lower("Imputation error"),
        "imputation_of_mean": MetricInfo("Imputation error of column means"),
        "imputation_of_sklearn": MetricInfo("Imputation error of IterativeImputer"),
        "imputed_categories": _higher("Categories imputed correctly", share=True),
    },
    "Objective": {
        "loss": MetricInfo("Loss", density=True),
        f"{TERM_PREFIX}reconstruction": MetricInfo("−log p(x|z)"),
        f"{TERM_PREFIX}kl": MetricInfo("KL"),
        f"{TERM_PREFIX}label-kl": MetricInfo("KL of the label"),
        f"{TERM_PREFIX}code-reconstruction": MetricInfo("−log p(code|z)"),
        f"{TERM_PREFIX}code-kl": MetricInfo("KL of the inner code"),
        f"{TERM_PREFIX}classification": MetricInfo("Classification loss"),
        f"{TERM_PREFIX}match": MetricInfo("Matching penalty"),
        f"{TERM_PREFIX}contractive": MetricInfo("Contractive penalty"),
    },
    "Codes": {
        "knn_accuracy": _higher("k-NN accuracy", share=True),
        "classification_error": _lower("Classification error", share=True),
        "linear_probe_accuracy": _higher("Linear probe accuracy", share=True),
        "active_per_example": MetricInfo("Active units per example"),
        "active_share": MetricInfo("Active units per example, share", share=True),
        "dead_share": _lower("Dead units", share=True),
        "active_dimensions": MetricInfo("Latent dimensions with KL"),
        "active_units": MetricInfo("Active units (by variance)"),
        "codebook_used": MetricInfo("Codebook entries used", share=True),
        "codebook_perplexity": MetricInfo("Codebook perplexity"),
        "silhouette": _higher("Silhouette"),
        "kmeans_accuracy": _higher("k-means accuracy", share=True),
        "kmeans_ari": _higher("k-means adjusted Rand index"),
        "kmeans_nmi": _higher("k-means NMI"),
        "own_accuracy": _higher("Model's clusters, accuracy", share=True),
        "own_ari": _higher("Model's clusters, adjusted Rand index"),
        "own_nmi": _higher("Model's clusters, NMI"),
        "trustworthiness": _higher("Trustworthiness"),
        "continuity": _higher("Continuity"),
        "intrinsic_dimension": MetricInfo("Intrinsic dimension"),
        "mmd_to_prior": _lower("MMD to the prior"),
        "aggregate_kl": _lower("KL(q(z) ‖ p(z))"),
        "mutual_information": MetricInfo("I(x; z)"),
    },
    "Likelihood": {
        "negative_elbo": _lower("−ELBO", density=True),
        "nll": _lower("−log p(x)", density=True),
        "bits_per_dimension": _lower("Bits per dimension"),
    },
    "Generation": {
        "frechet_distance": _lower("Fréchet distance"),
        "frechet_distance_of_train": MetricInfo("Fréchet distance of training images"),
        "precision": _higher("Precision", share=True),
        "recall": _higher("Recall", share=True),
        "density": MetricInfo("Density"),
        "coverage": _higher("Coverage", share=True),
        "diversity": MetricInfo("Diversity"),
        "copy_distance_ratio": MetricInfo("Distance to training images, ratio"),
        "copies": MetricInfo("Copies of training images", share=True),
        "label_fidelity": _higher("Label fidelity", share=True),
        "gaps": _lower("Implausible images", share=True),
        "gaps_in_box": _lower("Implausible images, box of codes", share=True),
        "unsure": _lower("Images of no class", share=True),
        "unsure_in_box": _lower("Images of no class, box of codes", share=True),
    },
    "Changed inputs": {
        **{
            f"knn_accuracy_{k}": _higher(f"k-NN accuracy, {v}", share=True)
            for k, v in _CHANGES.items()
        },
        **{f"code_shift_{k}": MetricInfo(f"Shift of codes, {v}") for k, v in _CHANGES.items()},
    },
    "Disentanglement": {
        "mig": _higher("MIG"),
        "dci_disentanglement": _higher("DCI disentanglement"),
        "dci_completeness": _higher("DCI completeness"),
        "dci_informativeness": _higher("DCI informativeness"),
        "sap": _higher("SAP"),
        "factor_vae_score": _higher("FactorVAE score"),
        "modularity": _higher("Modularity"),
    },
}
OTHER = "Other"
# Another metric in another unit, its standard error, and the number of examples: not compared.
NOT_COMPARED = (
    *("n_test", "squared_error_per_pixel", "squared_error_stderr", "active_share"),
    *("pca_dimensions", "missing_share"),
)

_INFOS = {name: info for metrics in METRICS.values() for name, info in metrics.items()}
_GROUPS = {name: group for group, metrics in METRICS.items() for name in metrics}


def metric_info(name: str) -> MetricInfo:
    """Title and direction of a metric; only a title if the metric is not in the table.

    >>> metric_info("psnr").better, metric_info("terms.total-correlation").title
    ('higher', 'Total correlation')
    """
    words = name.removeprefix(TERM_PREFIX).replace("_", " ").replace("-", " ")
    return _INFOS.get(name) or MetricInfo(words[:1].upper() + words[1:])


def metric_group(name: str) -> str:
    """The group of a metric: "Codes" for "knn_accuracy"."""
    return "Objective" if name.startswith(TERM_PREFIX) else _GROUPS.get(name, OTHER)


def metric_order(name: str) -> tuple[int, int, str]:
    """A sort key for metrics: by group, in the order of the table, then by name."""
    groups, names = [*METRICS, OTHER], list(_INFOS)
    place = names.index(name) if name in _INFOS else len(names)
    return groups.index(metric_group(name)), place, name
