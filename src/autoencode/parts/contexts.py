"""Contexts: what conditions a model beside the example itself."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.contract import Context
from autoencode.errors import DataError
from autoencode.maths import traced


class Labels(Context):
    """One number a class: 1 for the example's own, and all 0 where its label is not known (−1).

    Source: [sohn2015].
    """

    source = "labels"

    def forward(self, known: Tensor) -> Tensor:
        """Labels [B], int, or features [B, C] to features [B, C].

        Raises:
            DataError: labels beyond the classes, or features of another width.
        """
        classes = self.sizes.context
        if known.is_floating_point():
            return _features(known, classes)
        # What a training is traced with was checked as the data were read.
        beyond = not traced() and known.numel() and int(known.max()) >= classes
        if known.dim() != 1 or beyond:
            raise DataError(
                f"This model is conditioned on {classes} classes, and the labels given are not "
                "whole numbers below that",
                f"Give one label for each example, 0 to {classes - 1}; −1 where it is not known.",
            )
        return (known[:, None] == torch.arange(classes, device=known.device)).float()


class Vectors(Context):
    """Any vector beside each example: its pose, its age, what a sensor said."""

    source = "vectors"

    def forward(self, known: Tensor) -> Tensor:
        """Vectors [B, C] as they are.

        Raises:
            DataError: vectors of another width.
        """
        return _features(known, self.sizes.context)


def _features(known: Tensor, width: int) -> Tensor:
    if known.dim() != 2 or known.shape[1] != width:
        raise DataError(
            f"This model is conditioned on {width} numbers for each example, "
            f"and these have the shape {tuple(known.shape)}",
            f"Give a tensor (N, {width}).",
        )
    return known.float()


CONTEXTS: dict[str, type[Context]] = {"labels": Labels, "vectors": Vectors}
