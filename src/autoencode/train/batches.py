"""Batches as slices of one tensor that lies on the training device."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.data import Split, scaled

# Multiplies the seed, so that (seed, epoch) and (seed + 1, epoch − 1) are different orders.
STRIDE = 1_000_003


class Batches:
    """An endless, shuffled sequence of batches in which the step alone says which comes.

    The order of an epoch is a function of the seed and the epoch, so that resuming at a step needs
    no state. What is left over at the end of an epoch, less than a batch, waits for another
    shuffle: no batch is ever smaller than the others.
    """

    def __init__(self, split: Split, batch_size: int, seed: int, device: torch.device) -> None:
        self.x = split.x.to(device)
        self.batch_size = min(batch_size, len(self.x))
        self.per_epoch = len(self.x) // self.batch_size
        self.seed = seed
        self.epoch = -1
        self.order = torch.empty(0, dtype=torch.long)

    def __getitem__(self, step: int) -> Tensor:
        """The images of that step, [B, *X], floats in [0, 1]."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            shuffle = torch.Generator().manual_seed((self.seed * STRIDE + epoch) % 2**63)
            order = torch.randperm(len(self.x), generator=shuffle)
            self.epoch, self.order = epoch, order.to(self.x.device)
        start = place * self.batch_size
        return scaled(self.x.index_select(0, self.order[start : start + self.batch_size]))
