"""Clusters of codes, found by who is whose neighbour."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from autoencode.maths.tsne import tsne_map


def tsne_clusters(z: Tensor, k: int, seed: int) -> Tensor:
    """The cluster of each code [N, d], of `k`: [N], int64, on the device of `z`.

    A mixture of normals on the codes' t-SNE map. The classes of real data lie in codes as long,
    bent shapes that touch, which normals fitted to the codes themselves cut and merge; on the map,
    which keeps neighbours together and draws groups apart, most are one round island each.
    Source: [mcconville2021], with t-SNE [maaten2008] for UMAP.
    """
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
    from sklearn.mixture import GaussianMixture  # type: ignore[import-untyped]

    plane = tsne_map(z, seed).cpu().double().numpy()
    with warnings.catch_warnings():
        # The last rounds of a slow fit move no border.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(k, n_init=10, random_state=seed % 2**32)
        found = mixture.fit_predict(plane)
    return torch.from_numpy(found).to(z.device, torch.int64)
