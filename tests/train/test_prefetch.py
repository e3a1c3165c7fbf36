"""Batches read from the disk ahead of the steps."""

import torch

from autoencode.data import Split
from autoencode.train.batches import Batches
from autoencode.train.prefetch import DEPTH


def test_batches_of_mapped_data_are_those_of_data_in_memory():
    x = torch.arange(70, dtype=torch.uint8).view(35, 2)
    labels = torch.arange(35)
    here = torch.device("cpu")
    in_memory, mapped = (
        Batches(Split(x, None, mapped=mapped), labels, 10, seed=3, device=here)
        for mapped in (False, True)
    )
    # In order over several epochs, then as a resumed training begins, and back.
    for step in [*range(12), 40, 41, 0, 1]:
        assert torch.equal(in_memory[step].raw, mapped[step].raw)
        assert torch.equal(in_memory[step].context, mapped[step].context)
    assert max(mapped.prefetcher.requests) == 1 + DEPTH - 1
    assert len(mapped.prefetcher.requests) == DEPTH - 1
