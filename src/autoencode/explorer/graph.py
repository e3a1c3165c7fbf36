"""Exports a trained network as a graph of operations and a block of weights, for a web page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.explorer.tracing import traced
from autoencode.explorer.values import Operand, Unsupported, Value

# Smaller constants, such as biases and scales, stay in float32: they take little space.
MIN_HALF_NUMBERS = 2049
# A constant is stored in float16 if that changes it by at most this share of its largest value.
MAX_HALF_ERROR = 1e-3

__all__ = ["Graph", "Unsupported", "network_graph"]


@dataclass(frozen=True)
class Graph:
    """A network with all its shapes and weights.

    Values are numbered: first the inputs, then the constants, then the results of the nodes; a
    node takes only values with smaller numbers. Every value is a contiguous float32 tensor with a
    batch dimension of 1 where the module has one; booleans are 0 and 1.

    inputs: {"name", "shape"} of each input.
    constants: {"shape", "type", "offset"} of each constant: "float16" or "float32", little-endian,
        at that byte of the weights.
    nodes: {"op", "in", "args", "shape"} of each node; "in" lists the values it takes.
    outputs: the values that the network returns.
    weights: the bytes of all constants.
    """

    inputs: Sequence[Mapping[str, Any]]
    constants: Sequence[Mapping[str, Any]]
    nodes: Sequence[Mapping[str, Any]]
    outputs: Sequence[int]
    weights: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the weights, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "weights"}


def network_graph(module: nn.Module, inputs: Mapping[str, Tensor]) -> Graph:
    """Export a module in evaluation mode as a graph.

    inputs: an example of each argument by name, in order, with a batch of one. Only shapes and
        types matter.

    The module is not changed. Whatever depends on no input is computed once, here.

    Raises:
        Unsupported: the module is in training mode, draws random numbers, has control flow that
            depends on its input, or uses an operator that the page does not implement.
    """
    arguments, outputs = traced(module, inputs)
    order = _in_order(outputs)
    constants, numbers = _constants(order)
    weights, records = _packed(constants)
    ids: dict[int, int] = {id(value): i for i, value in enumerate(arguments)}
    ids |= {key: len(arguments) + i for key, i in numbers.items()}
    nodes: list[dict[str, Any]] = []
    for value in order:
        if isinstance(value, Value) and value.op != "input":
            ids[id(value)] = len(arguments) + len(constants) + len(nodes)
            of = [ids[id(each)] for each in value.of]
            nodes.append({"op": value.op, "in": of, "args": value.args, "shape": list(value.shape)})
    named = [{"name": n, "shape": list(v.shape)} for n, v in zip(inputs, arguments, strict=True)]
    return Graph(named, records, nodes, [ids[id(each)] for each in outputs], weights)


def _in_order(outputs: Sequence[Operand]) -> list[Operand]:
    """All values that the outputs depend on, each after those that it is computed from."""
    # By identity, since tensors compare number by number.
    values = {id(value): value for value in outputs}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    waiting = list(values.values())
    while waiting:
        value = waiting.pop()
        of = value.of if isinstance(value, Value) else ()
        sorter.add(id(value), *map(id, of))
        waiting.extend(each for each in of if id(each) not in values)
        values |= {id(each): each for each in of}
    return [values[key] for key in sorter.static_order()]


def _constants(order: Sequence[Operand]) -> tuple[list[Tensor], dict[int, int]]:
    """The distinct constants, and the number of each tensor's constant by its `id`."""
    found: list[Tensor] = []
    index: dict[tuple[tuple[int, ...], bytes], int] = {}
    numbers: dict[int, int] = {}
    for value in order:
        if isinstance(value, Tensor):
            plain = value.detach().to("cpu", torch.float32).contiguous()
            key = (tuple(plain.shape), plain.numpy().tobytes())
            if key not in index:
                index[key] = len(found)
                found.append(plain)
            numbers[id(value)] = index[key]
    return found, numbers


def _packed(constants: Sequence[Tensor]) -> tuple[bytes, list[dict[str, Any]]]:
    """The bytes of all constants, and the record of each."""
    weights = bytearray()
    records: list[dict[str, Any]] = []
    for constant in constants:
        half = _fits_half(constant)
        kind = "float16" if half else "float32"
        records.append({"shape": list(constant.shape), "type": kind, "offset": len(weights)})
        weights += constant.numpy().astype("<f2" if half else "<f4").tobytes()
        weights += bytes(-len(weights) % 4)
    return bytes(weights), records


def _fits_half(constant: Tensor) -> bool:
    """Whether a constant is large, and nearly the same in half precision."""
    if constant.numel() < MIN_HALF_NUMBERS:
        return False
    error = (constant.half().float() - constant).abs().max()
    return bool(error <= MAX_HALF_ERROR * constant.abs().max())
