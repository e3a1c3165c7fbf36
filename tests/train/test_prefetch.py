"""Batches read from the disk ahead of the steps."""

import torch

from autoencode.data import Split
from autoencode.train import prefetch as ahead
from autoencode.train.batches import Batches


def test_batches_of_mapped_data_are_those_of_data_in_memory():
    x = torch.arange(70, dtype=torch.uint8).view(35, 2)
    known = torch.arange(35)
    here = torch.device("cpu")
    held, mapped = (
        Batches(Split(x, None, mapped=mapped), known, 10, seed=3, device=here)
        for mapped in (False, True)
    )
    # In order over several epochs, then as a resumed training begins, and back.
    for step in [*range(12), 40, 41, 0, 1]:
        for one, other in zip(held[step], mapped[step], strict=True):
            assert torch.equal(one, other)
    assert max(mapped.ahead.coming) == 1 + ahead.DEPTH - 1
    assert len(mapped.ahead.coming) == ahead.DEPTH - 1
