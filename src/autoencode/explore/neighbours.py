"""Nearest neighbours of a code."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from autoencode.errors import AutoencodeError


def neighbours(z: Tensor, codes: Tensor, k: int) -> Int[Tensor, " k"]:
    """Indices of the k codes nearest to `z`, nearest first: [*Z], [N, *Z] -> [k], int64.

    Distances are Euclidean.

    Raises:
        AutoencodeError: there are fewer than k codes, or they have another shape than z.
    """
    if not 1 <= k <= len(codes):
        raise AutoencodeError(
            f"{k} neighbours were requested, and there are {len(codes)} codes",
            f"Give k from 1 to {len(codes)}.",
        )
    if codes.shape[1:] != z.shape:
        raise AutoencodeError(
            f"The codes have shape {list(codes.shape[1:])}, and z has shape {list(z.shape)}"
        )
    distances = (codes - z).flatten(1).norm(dim=1)
    # A stable sort, so that the order of equal distances is reproducible.
    return torch.argsort(distances, stable=True)[:k]
