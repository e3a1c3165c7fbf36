"""Traces a module with `torch.export` and translates its operators to graph operations."""

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
from torch.fx.node import map_aggregate, map_arg

from autoencode.explorer.operators import OPERATORS, VIEWS
from autoencode.explorer.values import Operand, Unsupported, Value, is_integer, meta, viewed

# Regions that only set how PyTorch computes; their content is inlined.
REGIONS = ("wrap_with_autocast", "wrap_with_set_grad_enabled")
# Prefixes of operators that compute nothing.
EMPTY = ("_assert", "sym_constrain", "_set_grad_enabled")
# Arguments that only describe how a tensor is stored.
LAYOUT = ("dtype", "layout", "device", "pin_memory", "memory_format", "implicit")
OTHER_LAYERS = "Build the network from other layers, or explore this model with the server."
NO_CONTROL_FLOW = (
    "Replace Python control flow that depends on the input by tensor operators, and let no shape "
    "depend on the values of the input."
)
NO_RANDOMNESS = "Put the model into evaluation mode, model.eval(), or draw the numbers outside it."


class UnknownOperator(Unsupported):
    """An operator of PyTorch that the page does not implement."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'A page cannot compute the operator "aten.{name}" of this network', OTHER_LAYERS
        )


def traced(module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[list[Value], list[Operand]]:
    """Trace a module; return its inputs as values, and its outputs computed from them.

    Raises:
        Unsupported: the module cannot be traced, or uses an operator that the page does not have.
    """
    with silent(), torch.no_grad():
        program = _exported(module, tuple(inputs.values()))
        if any(_changes_its_input(node) for node in _nodes(program.graph_module)):
            program = program.run_decompositions({})
        values = [Value("input", (), {}, tuple(x.shape), is_integer(x)) for x in inputs.values()]
        try:
            return values, _outputs(program, values)
        except UnknownOperator as unknown:
            # It may decompose into operators that the page has.
            try:
                return values, _outputs(program.run_decompositions(), values)
            except UnknownOperator:
                raise unknown from None


def _outputs(program: ExportedProgram, values: list[Value]) -> list[Operand]:
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
    # Updated buffers precede the outputs of the module.
    return list(found)[len(plan.output_specs) - len(plan.user_outputs) :]


@contextmanager
def silent() -> Iterator[None]:
    """Suppress warnings, logs and output to stderr: failures are reported by exceptions."""
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
            f"{type(module).__name__} cannot be exported as a graph ({reason})",
            NO_CONTROL_FLOW,
        ) from error


def _walk(module: GraphModule, inputs: list[Any]) -> Any:
    """Evaluate a traced graph on values and constants; return its outputs."""
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
    raise AssertionError("The graph has no output")


def _call(node: Node, args: Any, kwargs: Any) -> Any:
    name = _name(node)
    if name.startswith(EMPTY):
        return None
    if not _has_values((args, kwargs)):
        return _computed(node, args, kwargs)
    if name in VIEWS:
        base = args[0]
        shown = node.target(*_meta_arguments(args), **_meta_arguments(kwargs))  # type: ignore[operator]
        if isinstance(base, Tensor):
            return shown
        if isinstance(shown, Tensor):
            return viewed(base, shown)
        return [viewed(base, each) for each in shown]
    out = node.meta["val"]
    if isinstance(out, Tensor) and any(isinstance(side, torch.SymInt) for side in out.shape):
        raise Unsupported(
            f'A shape depends on the values of the input ("aten.{name}")', NO_CONTROL_FLOW
        )
    if name not in OPERATORS:
        raise UnknownOperator(name)
    lower = OPERATORS[name]
    kwargs = {key: value for key, value in kwargs.items() if key not in LAYOUT}
    try:
        signature(lower).bind(out, *args, **kwargs)
    except TypeError as error:
        raise Unsupported(
            f'A page cannot compute "aten.{name}" with these arguments', OTHER_LAYERS
        ) from error
    return lower(out, *args, **kwargs)


def _computed(node: Node, args: Any, kwargs: Any) -> Any:
    """Evaluate an operator that depends on no input, with PyTorch."""
    target = node.target
    if isinstance(target, OpOverload) and torch.Tag.nondeterministic_seeded in target.tags:
        raise Unsupported(f'A network draws random numbers ("aten.{_name(node)}")', NO_RANDOMNESS)
    return target(*args, **kwargs)  # type: ignore[operator]


def _has_values(arguments: Any) -> bool:
    leaves: list[Any] = []
    map_aggregate(arguments, leaves.append)
    return any(isinstance(leaf, Value) for leaf in leaves)


def _meta_arguments(arguments: Any) -> Any:
    """Arguments with every value replaced by a tensor without data."""
    return map_aggregate(arguments, lambda x: meta(x) if isinstance(x, Value) else x)


def _name(node: Node) -> str:
    """The name of an operator without its overload, such as "add"."""
    target = node.target
    return target.overloadpacket.__name__ if isinstance(target, OpOverload) else str(target)


def _nodes(module: GraphModule) -> Iterator[Node]:
    for part in module.modules():
        if isinstance(part, GraphModule):
            yield from part.graph.nodes


def _changes_its_input(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable
