"""Who lives near a code."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from autoencode.errors import AutoencodeError


def neighbours(z: Tensor, codes: Tensor, k: int) -> Int[Tensor, " k"]:
    """Positions in `codes` of the k nearest to `z`, nearest first: [*Z], [N, *Z] -> [k], int64.

    Near is Euclidean, over all numbers of a code.

    Raises:
        AutoencodeError: there are fewer than k codes, or they have another shape than z.
    """
    if not 1 <= k <= len(codes):
        raise AutoencodeError(
            f"{k} neighbours were asked for among {len(codes)} codes",
            f"Give k from 1 to {len(codes)}.",
        )
    if codes.shape[1:] != z.shape:
        raise AutoencodeError(
            f"Codes of shape {list(codes.shape[1:])} cannot be near one of shape {list(z.shape)}"
        )
    distances = (codes - z).flatten(1).norm(dim=1)
    # A stable order, so that ties fall the same way each time.
    return torch.argsort(distances, stable=True)[:k]
