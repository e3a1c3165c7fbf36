"""Contexts: they convert labels or vectors to the features that condition a model."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.contract import Context
from autoencode.errors import DataError
from autoencode.maths import traced
from autoencode.parts.registry import find_parts


class Labels(Context):
    """One-hot features of class labels; all features are 0 for an unknown label (−1).

    Source: [sohn2015].
    """

    name = "labels"
    source = "labels"

    def forward(self, context: Tensor) -> Tensor:
        """Converts labels [B] (int) to features [B, C]; features [B, C] (float) stay unchanged.

        Raises:
            DataError: a label out of range, or features of another width.
        """
        classes = self.sizes.context
        if context.is_floating_point():
            return _checked(context, classes)
        # A traced step cannot read values; its labels were checked when the data were read.
        too_large = not traced() and context.numel() and int(context.max()) >= classes
        if context.dim() != 1 or too_large:
            raise DataError(
                f"This model is conditioned on {classes} classes, and some of the labels are not "
                f"integers from −1 to {classes - 1}",
                f"Give one label per example, 0 to {classes - 1}, or −1 for an unknown label.",
            )
        return (context[:, None] == torch.arange(classes, device=context.device)).float()


class Vectors(Context):
    """Any vector of each example: a pose, an age, sensor values."""

    name = "vectors"
    source = "vectors"

    def forward(self, context: Tensor) -> Tensor:
        """Returns vectors [B, C] unchanged.

        Raises:
            DataError: vectors of another width.
        """
        return _checked(context, self.sizes.context)


def _checked(features: Tensor, width: int) -> Tensor:
    if features.dim() != 2 or features.shape[1] != width:
        raise DataError(
            f"This model is conditioned on {width} numbers for each example, "
            f"and these have the shape {tuple(features.shape)}",
            f"Give a tensor (N, {width}).",
        )
    return features.float()


CONTEXTS: dict[str, type[Context]] = find_parts(__name__)
