"""A moving average of the weights, which often is better than the weights of the last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of the weights and buffers of a module.

    At first the mean is over few steps: update t (from 1) has the decay min(decay, t / (t + 9)), so
    that the initial weights are soon forgotten.

    decay: share of the old average that an update keeps, in [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.updates = 0
        self.tensors: dict[str, Tensor] = {}
        self.restart()

    def restart(self) -> None:
        """Begins a new average, at the weights as they are."""
        self.updates = 0
        self.tensors = {k: v.detach().clone() for k, v in self.module.state_dict().items()}

    def restore(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Goes on from an average of that many updates."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])
        self.updates = updates

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights after a step; what is no float, such as a counter, is copied."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        now = self.module.state_dict()
        floats = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(
            [self.tensors[name] for name in floats], [now[name] for name in floats], 1 - decay
        )
        for name in now.keys() - floats:
            self.tensors[name].copy_(now[name])

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The module has the averaged weights inside."""
        own = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
        self.module.load_state_dict(self.tensors)
        try:
            yield
        finally:
            self.module.load_state_dict(own)
