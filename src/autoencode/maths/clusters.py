"""Clustering of codes and fits of Gaussian mixtures."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from autoencode.maths.tsne import tsne_map


def tsne_clusters(z: Tensor, k: int, seed: int) -> Tensor:
    """Assigns codes [N, d] to `k` clusters: labels [N], int64, on the device of `z`.

    It fits a mixture of normals to the t-SNE map of the codes. The classes of real data are curved
    regions that touch each other in latent space, where normals divide and merge them. On the map,
    which preserves neighbourhoods, most classes are separate and compact.
    Source: [mcconville2021], with t-SNE [maaten2008] instead of UMAP.
    """
    plane = tsne_map(z, seed)
    labels = fit_gaussian_mixture(plane, k, seed, n_init=10).predict(_as_numpy(plane))
    return torch.from_numpy(labels).to(z.device, torch.int64)


def fit_gaussian_mixture(points: Tensor, components: int, seed: int, **options: Any) -> Any:
    """Fits scikit-learn's `GaussianMixture` to points [N, d] in float64; `options` are its own."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(components, random_state=seed % 2**32, **options)
    with warnings.catch_warnings():
        # The last iterations of a slow fit make no visible difference.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(_as_numpy(points))


def _as_numpy(points: Tensor) -> Any:
    return points.cpu().double().numpy()
