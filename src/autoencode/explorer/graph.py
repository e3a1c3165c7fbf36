"""A trained network as data: a small graph of ops and a blob of weights, which a web page runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.explorer.tracing import traced
from autoencode.explorer.values import Known, Unsupported, Value

# Constants of more numbers than these are stored in half precision. Biases and scales are few, and
# in float32 they cost next to nothing.
FEW = 2048
# What half precision may change a constant by, as a share of its largest number.
EXACT = 1e-3

__all__ = ["Graph", "Unsupported", "network_graph"]


@dataclass(frozen=True)
class Graph:
    """A network with all its shapes, and its weights.

    Values are numbered: first the inputs, then the constants, then what each node makes, and a
    node takes only values of smaller numbers. Every value is a contiguous tensor of float32 whose
    shape has the batch, 1, in front where the module's had; truth values are 0 and 1.

    inputs: {"name", "shape"} of each.
    constants: {"shape", "type", "offset"} of each: "float16" or "float32", from that byte of the
        weights, little-endian.
    nodes: {"op", "in", "args", "shape"} of each; "in" is the values that it takes.
    outputs: the values that the network gives.
    weights: the numbers of all constants.
    """

    inputs: Sequence[Mapping[str, Any]]
    constants: Sequence[Mapping[str, Any]]
    nodes: Sequence[Mapping[str, Any]]
    outputs: Sequence[int]
    weights: bytes

    def to_dict(self) -> dict[str, Any]:
        """All but the weights, for JSON."""
        found = asdict(self)
        del found["weights"]
        return found


def network_graph(module: nn.Module, inputs: Mapping[str, Tensor]) -> Graph:
    """The graph of what a module in evaluation mode makes of such inputs, in their order.

    inputs: one example of each by name, with a batch of one. Only shapes and types count.

    The module is left as it is; what in it depends on no input is computed here.

    Raises:
        Unsupported: the module is in training mode, draws random numbers, lets Python decide by
            the numbers of an input, or uses an operator that a page has no op for.
    """
    given, outputs = traced(module, inputs)
    order = _in_order(outputs)
    constants, number = _constants(order)
    blob, records = _packed(constants)
    ids: dict[int, int] = {id(value): i for i, value in enumerate(given)}
    ids |= {key: len(given) + i for key, i in number.items()}
    nodes: list[dict[str, Any]] = []
    for value in order:
        if isinstance(value, Value) and value.op != "input":
            ids[id(value)] = len(given) + len(constants) + len(nodes)
            of = [ids[id(each)] for each in value.of]
            nodes.append({"op": value.op, "in": of, "args": value.args, "shape": list(value.shape)})
    named = [{"name": n, "shape": list(v.shape)} for n, v in zip(inputs, given, strict=True)]
    return Graph(named, records, nodes, [ids[id(each)] for each in outputs], blob)


def _in_order(outputs: Sequence[Known]) -> list[Known]:
    """All that the outputs are made of, each before what is made of it."""
    order: list[Known] = []
    seen: set[int] = set()
    # (value, have its parts been seen?); no recursion, since networks are deep.
    waiting = [(value, False) for value in reversed(outputs)]
    while waiting:
        value, ready = waiting.pop()
        if ready:
            order.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            waiting.append((value, True))
            if isinstance(value, Value):
                waiting.extend((each, False) for each in reversed(value.of))
    return order


def _constants(order: Sequence[Known]) -> tuple[list[Tensor], dict[int, int]]:
    """Different constants, and the number of each tensor's own among them."""
    found: list[Tensor] = []
    known: dict[tuple[tuple[int, ...], bytes], int] = {}
    number: dict[int, int] = {}
    for value in order:
        if isinstance(value, Tensor):
            plain = value.detach().to("cpu", torch.float32).contiguous()
            key = (tuple(plain.shape), plain.numpy().tobytes())
            if key not in known:
                known[key] = len(found)
                found.append(plain)
            number[id(value)] = known[key]
    return found, number


def _packed(constants: Sequence[Tensor]) -> tuple[bytes, list[dict[str, Any]]]:
    """One blob of all constants, and where in it each lies."""
    blob = bytearray()
    records: list[dict[str, Any]] = []
    for constant in constants:
        half = _fits_half(constant)
        kind = "float16" if half else "float32"
        records.append({"shape": list(constant.shape), "type": kind, "offset": len(blob)})
        blob += constant.numpy().astype("<f2" if half else "<f4").tobytes()
        blob += bytes(-len(blob) % 4)
    return bytes(blob), records


def _fits_half(constant: Tensor) -> bool:
    """Is it large, and nearly the same in half precision?"""
    if constant.numel() <= FEW:
        return False
    error = (constant.half().float() - constant).abs().max()
    return bool(error <= EXACT * constant.abs().max())
