"""Maps of points: the plane on which neighbours stay together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# t-SNE's own default; it must be smaller than the number of points.
PERPLEXITY = 30.0
# Twice as many draw the groups farther apart, and leave them as they are.
ROUNDS = 500


def tsne_map(points: Tensor, seed: int) -> Tensor:
    """The t-SNE map of points [N, d], of which not all coincide: [N, 2], float32, on their device.

    Begins with their principal components. For N of four or more, d of two or more.
    Source: [maaten2008].
    """
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]

    given = points.detach().flatten(1).cpu().numpy().astype(np.float32)
    perplexity = min(PERPLEXITY, (len(given) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, max_iter=ROUNDS, init="pca", random_state=seed % 2**32)
    return torch.from_numpy(tsne.fit_transform(given)).to(points.device)
