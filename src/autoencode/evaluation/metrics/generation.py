"""How good generated images are: figures in the features of a trained classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.errors import DataError, Diverged
from autoencode.evaluation.classifier import Classifier


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared Fréchet distance of normals fitted to features [N, F] and [M, F].

    |μ − ν|² + tr(Σ + Γ − 2 (ΣΓ)^½), 0 for the same mean and covariance, in squared units of the
    features: figures compare only within the features of one classifier. As an estimate it is too
    high, the more so the fewer the examples: always compare at equal N and equal M. Computed in
    float64, for covariances of any rank.  Source: [dowson1982], [heusel2017].

    Raises:
        DataError: no two matrices of as many features, or fewer than two examples.
        Diverged: features that are not finite.
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise DataError(
            "Two sets of features are compared, (N, F) and (M, F) with two examples or more, and "
            f"these are {tuple(a.shape)} and {tuple(b.shape)}"
        )
    means, roots = [], []
    for features in (a, b):
        if not features.isfinite().all():
            raise Diverged(
                "Some features are not finite numbers",
                "The images are of no use: train their model again, with a smaller lr.",
            )
        exact = features.cpu().double()  # not every accelerator has float64
        means.append(exact.mean(0))
        # Σ = RᵀR. To square R into Σ would lose half of the digits of its small directions.
        centred = (exact - means[-1]) / (len(exact) - 1) ** 0.5
        roots.append(torch.linalg.qr(centred, mode="r").R)
    # The eigenvalues of ΣΓ = RᵀR SᵀS that are not 0 are the squared singular values of R Sᵀ.
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = roots[0].square().sum() + roots[1].square().sum() - 2 * shared
    distance = float((means[0] - means[1]).square().sum() + spread)
    return max(0.0, distance)  # rounding leaves a set and itself a little beside 0


def label_fidelity(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of images in which the classifier sees the class that was asked for, in [0, 1].

    images: [N, *X], uint8 or float in [0, 1].
    labels: [N], positions among `classifier.classes`.

    Real images reach no more than `classifier.accuracy`, about.

    Raises:
        DataError: no images, not one label for each, or labels that are no classes.
    """
    if labels.shape != images.shape[:1] or len(images) == 0:
        raise DataError(
            f"Each image needs one label, and there are {len(images):,} images and labels of shape "
            f"{tuple(labels.shape)}"
        )
    classes = len(classifier.classes)
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"Labels must be positions among the {classes} classes, 0 to {classes - 1}, and these "
            f"go from {labels.min().item()} to {labels.max().item()}"
        )
    return (classifier.predict(images) == labels.to(images.device)).double().mean().item()
