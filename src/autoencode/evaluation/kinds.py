"""What is known of a figure by its name: its title, and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoencode.evaluation.records import TERMS

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Kind:
    """What is known of one figure.

    better: None for a figure that has no better and worse.
    share: a fraction of examples, for people to read in percent.
    density: nats of a density of x, comparable under one likelihood only.
    """

    title: str
    better: Better | None = None
    share: bool = False
    density: bool = False


def _lower(title: str, *, share: bool = False, density: bool = False) -> Kind:
    return Kind(title, "lower", share, density)


def _higher(title: str, *, share: bool = False) -> Kind:
    return Kind(title, "higher", share)


_TURNED = {f"turn_{degrees}": f"turned by {degrees}°" for degrees in (15, 30)}
_SHIFTS = {
    "noise": "noisy",
    "masking": "masked",
    "blur": "blurred",
    "occlusion": "occluded",
    **_TURNED,
}

# By what is measured, in the order in which figures are shown.
KINDS: Mapping[str, Mapping[str, Kind]] = {
    "Reconstruction": {
        "squared_error": _lower("MSE (sum over values)"),
        "squared_error_stderr": Kind("Standard error of the MSE"),
        "squared_error_per_pixel": _lower("MSE per value"),
        "psnr": _higher("PSNR"),
        "ssim": _higher("SSIM"),
        "ms_ssim": _higher("MS-SSIM"),
        "squared_error_of_mean": Kind("MSE of the mean example"),
        "restored_squared_error": _lower("Denoising MSE"),
        "corrupted_squared_error": Kind("MSE of corrupted inputs"),
    },
    "Objective": {
        "loss": Kind("Loss", density=True),
        f"{TERMS}reconstruction": Kind("Reconstruction"),
        f"{TERMS}kl": Kind("KL"),
        f"{TERMS}classification": Kind("Classification loss"),
    },
    "Codes": {
        "knn_accuracy": _higher("k-NN accuracy", share=True),
        "classification_error": _lower("Classification error", share=True),
        "linear_probe_accuracy": _higher("Linear probe", share=True),
        "active_per_example": Kind("Active units per example"),
        "active_share": Kind("Active share of the code", share=True),
        "active_dimensions": Kind("Active dimensions"),
        "active_units": Kind("Active units"),
        "silhouette": _higher("Silhouette"),
        "kmeans_accuracy": _higher("k-means accuracy", share=True),
        "kmeans_ari": _higher("k-means, Rand index"),
        "kmeans_nmi": _higher("k-means, information"),
        "own_accuracy": _higher("Own clusters, accuracy", share=True),
        "own_ari": _higher("Own clusters, Rand index"),
        "own_nmi": _higher("Own clusters, information"),
        "trustworthiness": _higher("Trustworthiness"),
        "continuity": _higher("Continuity"),
        "intrinsic_dimension": Kind("Intrinsic dimension"),
        "mmd_to_prior": _lower("MMD to the prior"),
        "aggregate_kl": _lower("KL(q(z) ‖ p(z))"),
        "mutual_information": Kind("I(x; z)"),
    },
    "Likelihood": {
        "negative_elbo": _lower("−ELBO", density=True),
        "nll": _lower("−ln p(x)", density=True),
        "bits_per_dimension": _lower("Bits per dimension", density=True),
    },
    "Generation": {
        "frechet_distance": _lower("Fréchet distance"),
        "frechet_distance_of_train": Kind("Fréchet distance of training images"),
        "precision": _higher("Precision", share=True),
        "recall": _higher("Recall", share=True),
        "density": Kind("Density"),
        "coverage": _higher("Coverage", share=True),
        "diversity": Kind("Diversity"),
        "copy_distance_ratio": Kind("Distance from training images"),
        "copies": Kind("Copies", share=True),
        "label_fidelity": _higher("Drawn as asked", share=True),
        "gaps": _lower("Gaps", share=True),
        "gaps_in_box": _lower("Gaps in the box of the codes", share=True),
        "unsure": _lower("Of no class", share=True),
        "unsure_in_box": _lower("Of no class, in the box", share=True),
    },
    "Shifted examples": {
        **{f"knn_accuracy_{k}": _higher(f"k-NN, {v}", share=True) for k, v in _SHIFTS.items()},
        **{f"code_shift_{k}": Kind(f"Codes move, {v}") for k, v in _SHIFTS.items()},
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
FURTHER = "Further"
# Other figures in another unit, and what noise is known of them.
TWINS = ("n_test", "squared_error_per_pixel", "squared_error_stderr")

_BY_NAME = {name: (group, kind) for group, of in KINDS.items() for name, kind in of.items()}
_PLACES = {name: place for place, name in enumerate(_BY_NAME)}


def kind_of(name: str) -> Kind:
    """What is known of a figure, by its name; nothing but a title of one that is new.

    >>> kind_of("psnr").better, kind_of("terms.total-correlation").title
    ('higher', 'Total correlation')
    """
    if name in _BY_NAME:
        return _BY_NAME[name][1]
    words = name.removeprefix(TERMS).replace("_", " ").replace("-", " ")
    return Kind(words[:1].upper() + words[1:])


def group_of(name: str) -> str:
    """What a figure belongs to: "Codes" for "knn_accuracy"."""
    if name.startswith(TERMS):
        return "Objective"
    return _BY_NAME[name][0] if name in _BY_NAME else FURTHER


def place_of(name: str) -> tuple[int, int, str]:
    """Where a figure stands among others: by group, in the order of the table, then by name."""
    group = group_of(name)
    known = list(KINDS)
    return (
        known.index(group) if group in known else len(known),
        _PLACES.get(name, len(_PLACES)),
        name,
    )
