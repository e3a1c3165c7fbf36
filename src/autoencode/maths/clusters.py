"""Clusters of codes, found by who is whose neighbour."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

# t-SNE's own default; it must be smaller than the number of codes.
PERPLEXITY = 30.0
ROUNDS = 500


def neighbour_clusters(z: Tensor, k: int, seed: int) -> Tensor:
    """The cluster of each code [N, d], of `k`: [N], int64, on the device of `z`.

    A mixture of normals on the codes' t-SNE map. The classes of real data lie in codes as long,
    bent shapes that touch, which normals fitted to the codes themselves cut and merge; on the map,
    which keeps neighbours together and draws groups apart, most are one round island each.
    Source: [mcconville2021], with t-SNE [maaten2008] for UMAP.
    """
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]
    from sklearn.mixture import GaussianMixture  # type: ignore[import-untyped]

    codes = z.detach().flatten(1).cpu().numpy().astype(np.float32)
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    drawn = {"random_state": seed % 2**32}
    with warnings.catch_warnings():
        # The last rounds of a slow fit move no border.
        warnings.simplefilter("ignore", ConvergenceWarning)
        plane = TSNE(2, perplexity=perplexity, max_iter=ROUNDS, **drawn).fit_transform(codes)
        found = GaussianMixture(k, n_init=10, **drawn).fit_predict(plane.astype(np.float64))
    return torch.from_numpy(found).to(z.device, torch.int64)
