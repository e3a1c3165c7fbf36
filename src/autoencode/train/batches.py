"""Batches as slices of one tensor, on the training device or in a memory-mapped file."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from autoencode.data import Split, scaled
from autoencode.errors import DataError
from autoencode.train.augment import augmented, mirrored
from autoencode.train.prefetch import DEPTH, Prefetcher

# Multiplies the seed, so that (seed, epoch) and (seed + 1, epoch − 1) are different orders.
SEED_STRIDE = 1_000_003
# Added to the seed of the stream of labelled examples, whose orders differ from the first's.
LABELLED_SEED = 7_919


class Batch(NamedTuple):
    """The examples of one step.

    raw: the examples as they are stored, [B, *X].
    context: what conditions the model, labels [B] or features [B, C]; None without a context.
    prepare: see `Batches.prepare`.
    """

    raw: Tensor
    context: Tensor | None
    prepare: Callable[[Tensor], Tensor]

    def examples(self) -> Tensor:
        """The examples as the model receives them, floats in [0, 1], [B, *X].

        Random augmentation and binarisation are drawn anew by each call.
        """
        return self.prepare(self.raw)


class Batches:
    """An endless, shuffled sequence of batches in which the step alone decides which comes.

    The order of an epoch is a function of the seed and the epoch, so that resuming at a step needs
    no state. All batches have one size: the examples left over at the end of an epoch, fewer than a
    batch, begin the first batch of the next, so that each example is drawn once in each epoch.
    """

    def __init__(
        self,
        train: Split,
        context: Tensor | None,
        batch_size: int,
        seed: int,
        device: torch.device,
        labelled: float | None = None,
        augment: float = 0.0,
        flip: bool = False,
    ) -> None:
        """The training examples and the context of each, [N] or [N, C], for conditional models.

        labelled: the share of each batch that is drawn from the examples with a label; None
            draws all examples alike.
        augment: the share of each batch of images that is changed by small affine maps.
        flip: each image is mirrored left to right with probability 1/2.

        Raises:
            DataError: `labelled` is given where all examples have a label or none has, or the
                batches hold one example.
        """
        x = train.x
        # A recipe may augment by default; vectors have no affine maps and no sides.
        self.augment, self.flip = (augment, flip) if x.dim() > 2 else (0.0, False)
        self.device, self.random = device, train.random
        # Data larger than memory stay on disk, and are read before they are needed.
        self.prefetcher = Prefetcher(x) if train.mapped else None
        self.x = x if train.mapped else x.to(device)
        self.context = None if context is None else context.to(device)
        self.batch_size = min(batch_size, len(x))
        if labelled is None:
            self.streams = [Stream(torch.arange(len(x)), self.batch_size, seed, device)]
        else:
            self.streams = self._mixed(context, labelled, seed)

    def _mixed(self, labels: Tensor | None, share: float, seed: int) -> list[Stream]:
        """A stream of unlabelled and a stream of labelled examples."""
        has_label = torch.zeros(len(self.x), dtype=torch.bool) if labels is None else labels >= 0
        if has_label.dim() > 1 or not has_label.any() or has_label.all():
            raise DataError(
                "Batches were to mix examples with and without labels, and the data have only "
                f"{'examples with' if has_label.any() else 'examples without'} labels",
                "Hide some, --labelled 100 (load_data(source, labelled=100)), or draw all examples "
                'alike: --set training.labelled=none (recipe.set("training.labelled", None)).',
            )
        if self.batch_size < 2:
            raise DataError(
                "A batch of one example cannot mix examples with and without labels",
                "Use --batch-size 2 (batch_size=2) or more.",
            )
        count = min(self.batch_size - 1, max(1, round(share * self.batch_size)))
        without, with_label = ((has_label == which).nonzero().flatten() for which in (False, True))
        return [
            Stream(without, self.batch_size - count, seed, self.device),
            Stream(with_label, count, seed + LABELLED_SEED, self.device),
        ]

    def __getitem__(self, step: int) -> Batch:
        if self.prefetcher is None:
            rows = self.rows(step)
            raw = self.x.index_select(0, rows)
        else:
            for each in range(step, step + DEPTH):
                if not self.prefetcher.is_requested(each):
                    self.prefetcher.request(each, self.rows(each))
            rows, raw = self.prefetcher.take(step)
        context = None if self.context is None else self.context.index_select(0, rows)
        return Batch(raw.to(self.device), context, self.prepare)

    def epochs(self, steps: int) -> float:
        """The examples in that many batches, as multiples of the number of training examples."""
        return steps * self.batch_size / len(self.x)

    def rows(self, step: int) -> Tensor:
        """The positions of a step's examples, [B]."""
        parts = [stream[step] for stream in self.streams]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def prepare(self, raw: Tensor) -> Tensor:
        """Stored examples as the model receives them: floats in [0, 1], [B, *X].

        Augmentation and dynamic binarisation draw from torch's own random state, as all the noise
        of training does.
        """
        x = scaled(raw)
        if self.augment:
            x = augmented(x, self.augment)
        if self.flip:
            x = mirrored(x)
        # Three times as fast as torch.bernoulli.
        return (torch.rand_like(x) < x).to(x.dtype) if self.random else x


class Stream:
    """Positions of examples, `count` for each step, shuffled anew in each epoch.

    The epochs follow one another without a gap: a batch at their border takes the last examples of
    one and the first of the next.
    """

    def __init__(self, rows: Tensor, count: int, seed: int, device: torch.device) -> None:
        self.rows, self.count, self.seed = rows.to(device), count, seed
        # The orders of the last two epochs that were asked for, which a batch may join.
        self.orders: dict[int, Tensor] = {}

    def __getitem__(self, step: int) -> Tensor:
        start, n = step * self.count, len(self.rows)
        end = start + self.count
        parts = [
            self.order_of(epoch)[max(0, start - epoch * n) : end - epoch * n]
            for epoch in range(start // n, -(-end // n))
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def order_of(self, epoch: int) -> Tensor:
        """The positions of all examples, in the order of that epoch."""
        if epoch not in self.orders:
            shuffle = torch.Generator().manual_seed((self.seed * SEED_STRIDE + epoch) % 2**63)
            order = torch.randperm(len(self.rows), generator=shuffle)
            kept = list(self.orders.items())[-1:]
            self.orders = dict([*kept, (epoch, self.rows[order.to(self.rows.device)])])
        return self.orders[epoch]
