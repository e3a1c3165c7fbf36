"""The layers of a model, found by encoding and decoding one example with hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Bottleneck, Code, Context, Likelihood
from autoencode.models.inference import measuring
from autoencode.report.tables import Table
from autoencode.report.view import View

# Of a longer chain of layers, the diagram shows only those that change the shape.
MAX_STAGES = 24
CLASSIFIER = "classifier"


@dataclass(frozen=True)
class Layer:
    """A module that computes something or has parameters of its own.

    name: its dotted name in the model.       kind: its class; for a variant, that of torch.
    shape: shape of its output for one example; None if encoding and decoding do not use it.
    parameters: number of trainable parameters that are its own, and not those of a layer above.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int


@dataclass
class Stage:
    """A tensor on the way from an example to its reconstruction.

    shape: its shape.   layers: the kinds of the layers that computed it from the stage above.
    role: "input", "code" or "output"; "" for any other.
    """

    shape: tuple[int, ...]
    layers: list[str] = field(default_factory=list)
    role: str = ""

    def summary(self) -> str:
        """The layers in a phrase.

        >>> Stage((9,), ["Linear", "ReLU", "Linear"]).summary()
        'Linear ×2, ReLU'
        """
        counts = Counter(self.layers)
        return ", ".join(f"{kind} ×{n}" if n > 1 else kind for kind, n in counts.items())


@dataclass(frozen=True)
class Architecture:
    """The layers of a model, and the stages of its diagram.

    note: what the diagram leaves out, in sentences; empty if there is nothing.
    """

    layers: list[Layer]
    stages: list[Stage]
    note: str

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def table(self) -> Table:
        """A row for each layer."""
        return Table(
            {
                "module": [layer.name for layer in self.layers],
                "type": [layer.kind for layer in self.layers],
                "output shape": [shape_text(layer.shape) for layer in self.layers],
                "parameters": [layer.parameters for layer in self.layers],
            }
        )


@dataclass(frozen=True)
class _Call:
    name: str
    module: nn.Module
    shape: tuple[int, ...]


def shape_text(shape: tuple[int, ...] | None) -> str:
    """A shape for readers.

    >>> shape_text((8, 14, 14)), shape_text((2,)), shape_text(()), shape_text(None)
    ('8 × 14 × 14', '2', '1', '–')
    """
    return "–" if shape is None else " × ".join(map(str, shape)) or "1"


def architecture(view: View) -> Architecture:
    """The layers of the model of a view, from one of its examples."""
    model = view.model
    assert isinstance(model, nn.Module)  # part of the contract
    with measuring(model) as device:
        x = view.examples(1).to(device)
        # A model that learns labels predicts them, so that its classifier runs too.
        given = None if view.learns_labels else view.context
        context = None if given is None else given[:1].to(device)
        encoding, decoding = list[_Call](), list[_Call]()
        with _recorded(model, encoding):
            code = model.encode(x, context)
        with _recorded(model, decoding):
            _ = model.decode(code.z, context).mean
    calls, x_shape, z_shape = [*encoding, *decoding], tuple(model.sizes.x), tuple(model.sizes.z)
    stages = _stages(encoding, decoding, x_shape, z_shape, by_weights=True)
    joined = len(stages) > MAX_STAGES
    if joined:
        stages = _stages(encoding, decoding, x_shape, z_shape, by_weights=False)
    return Architecture(_layers(model, calls), stages, _note(view, calls, joined))


class _recorded:
    """Context manager that appends a call to a list whenever a module has been called."""

    def __init__(self, model: nn.Module, calls: list[_Call]) -> None:
        self.model, self.calls = model, calls
        self.stack = ExitStack()

    def __enter__(self) -> None:
        for name, module in self.model.named_modules():
            if module is not self.model:
                handle = module.register_forward_hook(self._hook(name))
                self.stack.callback(handle.remove)

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _hook(self, name: str) -> Any:
        def record(module: nn.Module, _: Any, output: Any) -> None:
            if (shape := _shape(output)) is not None:
                self.calls.append(_Call(name, module, shape))

        return record


def _shape(output: Any) -> tuple[int, ...] | None:
    """The shape of what a module returns, for one example; None if it is no tensor."""
    if isinstance(output, Code):
        output = output.z
    if isinstance(output, Distribution):
        return tuple(output.event_shape)
    if isinstance(output, tuple | list) and output:
        return _shape(output[0])
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else None


def _layers(model: nn.Module, calls: list[_Call]) -> list[Layer]:
    shapes = {call.module: call.shape for call in reversed(calls)}
    counted: set[int] = set()
    found = []
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted |= {id(p) for p in own}
        if own or (module in shapes and _is_leaf(module)):
            number = sum(prod(p.shape) for p in own)
            found.append(Layer(name or "(model)", _kind(module), shapes.get(module), number))
    return found


def _is_leaf(module: nn.Module) -> bool:
    return not isinstance(module, nn.Sequential) and not any(True for _ in module.children())


def _kind(module: nn.Module) -> str:
    """The class of a module, or the class of torch that it is a variant of."""
    of_torch = [c for c in type(module).__mro__ if c.__module__.startswith("torch.nn.modules")]
    known = [c for c in of_torch if c is not nn.Module]
    return (known[0] if known else type(module)).__name__


def _stages(
    encoding: list[_Call],
    decoding: list[_Call],
    x: tuple[int, ...],
    z: tuple[int, ...],
    by_weights: bool,
) -> list[Stage]:
    """The stages of the diagram, of which the first is the example; `by_weights` as in `_chain`."""
    first = Stage(x, role="input")
    to_code = _chain(first, _steps(encoding), z, "code", by_weights)
    return [first, *to_code, *_chain(to_code[-1], _steps(decoding), x, "output", by_weights)]


def _steps(calls: list[_Call]) -> Iterator[_Call]:
    """The calls on the way of an example: of layers, and of bottlenecks and likelihoods as one."""
    parts = [c.name for c in calls if isinstance(c.module, Bottleneck | Likelihood)]
    for call in calls:
        inside = any(call.name.startswith(f"{part}.") for part in parts)
        if isinstance(call.module, Context) or inside or _classifies(call):
            continue
        if _is_leaf(call.module) or call.name in parts:
            yield call


def _classifies(call: _Call) -> bool:
    return CLASSIFIER in call.name.split(".")


def _chain(
    start: Stage, steps: Iterator[_Call], end: tuple[int, ...], role: str, by_weights: bool
) -> list[Stage]:
    """The stages after `start`; the last one has the shape `end`.

    by_weights: whether each layer with a matrix of weights has a stage, or only changes of shape.
    """
    found: list[Stage] = []
    waiting: list[str] = []  # layers that only reshape what a later layer receives
    last = start
    for step in steps:
        kind = _kind(step.module)
        weights = any(p.dim() > 1 for p in step.module.parameters(recurse=False))
        same = prod(step.shape) == prod(last.shape)
        if not found or not same or (weights and by_weights):
            if same and not weights:
                waiting.append(kind)
                continue
            last = Stage(step.shape, [*waiting, kind])
            waiting = []
            found.append(last)
        elif step.shape != last.shape and not weights:
            waiting.append(kind)
        else:
            last.layers += [*waiting, kind]
            waiting = []
    if not found or prod(last.shape) != prod(end):
        last = Stage(end, waiting)
        found.append(last)
    else:
        last.layers += waiting
    last.shape, last.role = end, role
    return found


def _note(view: View, calls: list[_Call], joined: bool) -> str:
    sentences = []
    if view.model.sizes.context and not view.learns_labels:
        n = view.model.sizes.context
        sentences.append(f"Encoder and decoder also receive {n} features, which condition them.")
    if any(map(_classifies, calls)):
        sentences.append("The classifier, a second network, is only in the table.")
    if joined:
        sentences.append("Successive layers with outputs of one shape are joined.")
    return " ".join(sentences)
