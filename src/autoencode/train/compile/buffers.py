"""What an update changes: weights, what the optimiser keeps of each, and buffers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from autoencode.train.adam import Adam

STATE = ("exp_avg", "exp_avg_sq", "step")


class Held:
    """The tensors that an update of a module changes in place, in one order.

    names: the weights that have a gradient, by their names in the module.
    buffers: the names of its buffers.
    tensors: the weights without their gradients, for each entry of `STATE` that of each weight,
        and the buffers.
    """

    def __init__(self, module: nn.Module, optimizer: Adam, names: Sequence[str] = ()) -> None:
        """Of a module and the optimiser of its weights.

        names: the weights that are updated, where the optimiser has not updated them yet.
        """
        self.module, self.optimizer = module, optimizer
        known = dict(module.named_parameters())
        for name in names:
            optimizer.state_of(known[name])
        called = {id(p): name for name, p in known.items()}
        self.weights = [p for p in optimizer.parameters if p in optimizer.state]
        self.names = [called[id(p)] for p in self.weights]
        self.buffers = [name for name, _ in module.named_buffers()]
        # One flat list: what is nested is taken apart anew at each call.
        self.tensors: list[Tensor] = [
            *(p.detach() for p in self.weights),
            *(optimizer.state[p][what] for what in STATE for p in self.weights),
            *module.buffers(),
        ]

    @property
    def count(self) -> int:
        """Updates that were made, the same for each weight."""
        (count,) = {int(self.optimizer.state[p]["step"]) for p in self.weights}
        return count

    def move(self, tensors: Sequence[Tensor]) -> None:
        """Lets module and optimiser hold these from now on, as many as there are and as shaped."""
        n = len(self.weights)
        for p, tensor in zip(self.weights, tensors, strict=False):
            p.data = tensor
        for i, what in enumerate(STATE, 1):
            for p, tensor in zip(self.weights, tensors[i * n :], strict=False):
                self.optimizer.state[p][what] = tensor
        now = {
            id(old): tensor
            for old, tensor in zip(
                self.module.buffers(), tensors[(len(STATE) + 1) * n :], strict=True
            )
        }
        for each in self.module.modules():
            for name, buffer in each.named_buffers(recurse=False, remove_duplicate=False):
                setattr(each, name, now[id(buffer)])
        self.tensors = list(tensors)
