"""The distance between the distributions of real and of generated images, in features."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.evaluation.metrics.arrays import as_features


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared Fréchet distance of normals fitted to features [N, F] and [M, F].

    |μ − ν|² + tr(Σ + Γ − 2 (ΣΓ)^½), 0 for the same mean and covariance, in squared units of the
    features: values compare only within the features of one classifier. The estimate is biased
    upwards, more so for fewer examples: always compare at equal N and equal M. Computed in
    float64, for covariances of any rank.  Source: [dowson1982], [heusel2017].

    Raises:
        DataError: not two matrices of equally many features, or fewer than two examples.
        Diverged: features that are not finite.
    """
    means, roots = [], []
    for features in as_features(a, b, least=2):
        means.append(features.mean(0))
        # Σ = RᵀR. To square R into Σ would lose half of the digits of its small directions.
        centred = (features - means[-1]) / (len(features) - 1) ** 0.5
        roots.append(torch.linalg.qr(centred, mode="r").R)
    # The eigenvalues of ΣΓ = RᵀR SᵀS that are not 0 are the squared singular values of R Sᵀ.
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = roots[0].square().sum() + roots[1].square().sum() - 2 * shared
    distance = float((means[0] - means[1]).square().sum() + spread)
    return max(0.0, distance)  # rounding may leave a small negative number for equal sets
