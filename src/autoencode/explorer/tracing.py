"""From a module to values: PyTorch traces it, and each operator is lowered to a few small ones."""

from __future__ import annotations

import logging
import operator
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from inspect import signature
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from autoencode.explorer.operators import OPERATORS, VIEWS
from autoencode.explorer.values import Known, Unsupported, Value, skeleton, viewed

# Regions that only say how PyTorch is to compute; their content is taken as it stands.
REGIONS = ("wrap_with_autocast", "wrap_with_set_grad_enabled")
# Operators with nothing to compute.
EMPTY = ("_assert", "sym_constrain", "_set_grad_enabled")
# Arguments that say how a tensor is stored.
LAYOUT = ("dtype", "layout", "device", "pin_memory", "memory_format", "implicit")
OTHERS = "Build the network of other layers, or look at this model without a page."
DECISIONS = (
    "Let what it computes depend on the numbers of its input by operators of PyTorch alone, which "
    "give all shapes beforehand: not by Python's if, not by values taken out of tensors."
)
NO_CHANCE = "Put the model into evaluation mode, model.eval(), or draw them outside of it."


class UnknownOperator(Unsupported):
    """An operator of PyTorch that has no place in a graph."""

    def __init__(self, name: str) -> None:
        super().__init__(f'A page cannot compute "aten.{name}", which this network uses', OTHERS)


def traced(module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[list[Value], list[Known]]:
    """The inputs of a module as values, and its outputs made of them.

    Raises:
        Unsupported: it cannot be traced, or computes what has no place in a graph.
    """
    with quietly(), torch.no_grad():
        program = _exported(module, tuple(inputs.values()))
        if any(_changes_its_input(node) for node in _nodes(program.graph_module)):
            program = program.run_decompositions({})
        values = [Value("input", (), {}, tuple(x.shape), _whole(x)) for x in inputs.values()]
        try:
            return values, _outputs(program, values)
        except UnknownOperator as unknown:
            # Perhaps it is made of others that are known.
            try:
                return values, _outputs(program.run_decompositions(), values)
            except UnknownOperator:
                raise unknown from None


def _outputs(program: ExportedProgram, values: list[Value]) -> list[Known]:
    plan = program.graph_signature
    names = {
        **plan.inputs_to_parameters,
        **plan.inputs_to_buffers,
        **plan.inputs_to_lifted_tensor_constants,
    }
    stored = {**program.state_dict, **program.constants}
    given = iter(values)
    first = [
        stored[names[node.name]].detach().cpu() if node.name in names else next(given)
        for node in program.graph.nodes
        if node.op == "placeholder"
    ]
    found = _walk(program.graph_module, first)
    # New values of buffers come before what the module gives.
    return list(found)[len(plan.output_specs) - len(plan.user_outputs) :]


@contextmanager
def quietly() -> Iterator[None]:
    """No warning, no line of a log, nothing printed: what goes wrong is said by an error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _exported(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    try:
        return torch.export.export(module, inputs, strict=False)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unsupported(
            f"{type(module).__name__} cannot be written down as a graph ({reason})",
            DECISIONS,
        ) from error


def _walk(module: GraphModule, inputs: list[Any]) -> Any:
    """What a graph gives for its inputs."""
    env: dict[Node, Any] = {}
    given = iter(inputs)
    for node in module.graph.nodes:
        args, kwargs = map_arg((node.args, node.kwargs), env.__getitem__)
        if node.op == "placeholder":
            env[node] = next(given)
        elif node.op == "get_attr":
            env[node] = getattr(module, node.target)
        elif node.op == "output":
            return args[0]
        elif node.target is operator.getitem:
            env[node] = args[0][args[1]]
        elif str(node.target) in REGIONS:
            at = next(i for i, arg in enumerate(args) if isinstance(arg, GraphModule))
            env[node] = _walk(args[at], list(args[at + 1 :]))
        else:
            env[node] = _call(node, args, kwargs)
    raise AssertionError("a graph without an output")


def _call(node: Node, args: Any, kwargs: Any) -> Any:
    name = _name(node)
    if name.startswith(EMPTY):
        return None
    if not _has_values((args, kwargs)):
        return _computed(node, args, kwargs)
    if name in VIEWS:
        base = args[0]
        shown = node.target(*_bones(args), **_bones(kwargs))  # type: ignore[operator]
        if isinstance(base, Tensor):
            return shown
        if isinstance(shown, Tensor):
            return viewed(base, shown)
        return [viewed(base, each) for each in shown]
    out = node.meta["val"]
    if isinstance(out, Tensor) and any(isinstance(side, torch.SymInt) for side in out.shape):
        raise Unsupported(f'The numbers of an input decide on a shape ("aten.{name}")', DECISIONS)
    if name not in OPERATORS:
        raise UnknownOperator(name)
    lower = OPERATORS[name]
    kwargs = {key: value for key, value in kwargs.items() if key not in LAYOUT}
    try:
        signature(lower).bind(out, *args, **kwargs)
    except TypeError as error:
        raise Unsupported(f'A page cannot compute this form of "aten.{name}"', OTHERS) from error
    return lower(out, *args, **kwargs)


def _computed(node: Node, args: Any, kwargs: Any) -> Any:
    """What depends on no input, by PyTorch itself."""
    target = node.target
    if isinstance(target, OpOverload) and torch.Tag.nondeterministic_seeded in target.tags:
        raise Unsupported(f'A network draws random numbers ("aten.{_name(node)}")', NO_CHANCE)
    return target(*args, **kwargs)  # type: ignore[operator]


def _has_values(found: Any) -> bool:
    if isinstance(found, Value):
        return True
    if isinstance(found, dict):
        return any(map(_has_values, found.values()))
    return isinstance(found, list | tuple) and any(map(_has_values, found))


def _bones(found: Any) -> Any:
    """Arguments with a tensor without numbers for each value."""
    if isinstance(found, dict):
        return {key: _bones(each) for key, each in found.items()}
    if isinstance(found, list | tuple):
        return [_bones(each) for each in found]
    return skeleton(found) if isinstance(found, Value) else found


def _name(node: Node) -> str:
    """The name of an operator without that of its overload: "add"."""
    target = node.target
    return target.overloadpacket.__name__ if isinstance(target, OpOverload) else str(target)


def _nodes(module: GraphModule) -> Iterator[Node]:
    for part in module.modules():
        if isinstance(part, GraphModule):
            yield from part.graph.nodes


def _changes_its_input(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def _whole(x: Tensor) -> bool:
    return not x.is_floating_point()
