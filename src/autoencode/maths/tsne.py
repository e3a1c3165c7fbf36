"""t-SNE projections to two dimensions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# The default of t-SNE; it must be smaller than the number of points.
PERPLEXITY = 30.0
# More iterations increase the distances between groups, but do not change the groups.
ITERATIONS = 500


def tsne_map(points: Tensor, seed: int) -> Tensor:
    """The t-SNE projection of points [N, d]: [N, 2], float32, on the device of `points`.

    It is initialised with the principal components and needs N ≥ 4, d ≥ 2 and points that are not
    all equal.  Source: [maaten2008].
    """
    from sklearn.manifold import TSNE

    array = points.detach().flatten(1).cpu().numpy().astype(np.float32)
    perplexity = min(PERPLEXITY, (len(array) - 1) / 3)
    tsne = TSNE(
        2, perplexity=perplexity, max_iter=ITERATIONS, init="pca", random_state=seed % 2**32
    )
    return torch.from_numpy(tsne.fit_transform(array)).to(points.device)
