"""The random numbers of a traced update, drawn outside of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.fx import GraphModule, Node

aten = torch.ops.aten
# What fills memory with the numbers that an operation would give.
FILLED: dict[Any, Callable[[Node], tuple[Any, tuple[Any, ...]]]] = {
    aten.rand.default: lambda node: (aten.uniform_, ()),
    aten.rand_like.default: lambda node: (aten.uniform_, ()),
    aten.randn.default: lambda node: (aten.normal_, ()),
    aten.randn_like.default: lambda node: (aten.normal_, ()),
    aten.randint.default: lambda node: (aten.random_, (0, node.args[0])),
    aten.randint.low: lambda node: (aten.random_, node.args[:2]),
    aten.randint_like.default: lambda node: (aten.random_, (0, node.args[1])),
    aten.randint_like.low_dtype: lambda node: (aten.random_, node.args[1:3]),
    aten.uniform_.default: lambda node: (aten.uniform_, node.args[1:]),
    aten.normal_.default: lambda node: (aten.normal_, node.args[1:]),
    aten.exponential_.default: lambda node: (aten.exponential_, node.args[1:]),
    aten.bernoulli_.float: lambda node: (aten.bernoulli_, node.args[1:]),
}


class Untraceable(RuntimeError):
    """An update cannot be written down as it would have to be."""


@dataclass(frozen=True)
class Draw:
    """Numbers that an update asks for.

    fill: an operation that draws them into the memory that it is given.   args: its further ones.
    shape, strides, dtype: of them.
    """

    fill: Any
    args: tuple[Any, ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    def memory(self, count: int, device: torch.device) -> Tensor:
        """Room for the numbers of so many models, [count, *shape]."""
        span = 1 + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        strides = (span, *self.strides)
        empty = torch.empty_strided((count, *self.shape), strides, dtype=self.dtype, device=device)
        # Numbers that can be positions, before the first are drawn.
        return empty.zero_()

    def into(self, memory: Tensor, generator: Generator) -> None:
        """Draws them, the same that the update would draw."""
        self.fill(memory, *self.args, generator=generator)


def taken_out(graph: GraphModule) -> list[Draw]:
    """Lets a graph take its random numbers as its last arguments; in the order of their drawing.

    Raises:
        Untraceable: what is drawn depends on other numbers, or in a way that is not known.
    """
    last = graph.graph.find_nodes(op="placeholder")[-1]
    found: list[Draw] = []
    for node in list(graph.graph.nodes):
        if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
            continue
        if node.target is aten.randperm.default:
            fill, args = _order, ()
        elif node.target in FILLED:
            fill, args = FILLED[node.target](node)
        else:
            raise Untraceable(f"{node.target} draws what no other place can")
        if any(isinstance(each, Node) for each in args):
            raise Untraceable(f"{node.target} draws by numbers of the update")
        seen = node.meta["tensor_meta"]
        found.append(Draw(fill, args, tuple(seen.shape), tuple(seen.stride), seen.dtype))
        with graph.graph.inserting_after(last):
            last = graph.graph.placeholder(f"draw_{len(found)}")
        filled = node.args[0] if node.target._schema.is_mutable else None
        node.replace_all_uses_with(last)
        if isinstance(filled, Node):
            filled.replace_all_uses_with(last, lambda user, node=node: user is not node)
        graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return found


def _order(memory: Tensor, generator: Generator) -> None:
    torch.randperm(len(memory), generator=generator, out=memory)
