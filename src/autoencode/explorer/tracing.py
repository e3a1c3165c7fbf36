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
from torch.export import ExportedProgram, default_decompositions
from torch.fx import Interpreter, Node
from torch.fx.node import map_aggregate

from autoencode.explorer.operators import OPERATORS, VIEWS
from autoencode.explorer.values import Operand, Unsupported, Value, is_integer, meta, viewed

# Operators that are not decomposed: the page computes them with fewer operations than PyTorch's
# decomposition needs, or refuses them by name.
WHOLE = frozenset(
    "linear matmul layer_norm group_norm instance_norm silu softplus log_sigmoid logaddexp "
    "_pad_circular adaptive_avg_pool2d upsample_nearest2d upsample_bilinear2d "
    "upsample_bicubic2d item".split()
)
# Arguments that only describe how a tensor is stored.
LAYOUT = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")
OTHER_LAYERS = "Build the network from other layers, or explore this model with the server."
NO_CONTROL_FLOW = (
    "Replace Python control flow that depends on the input by tensor operators, and let no shape "
    "depend on the values of the input."
)
NO_RANDOMNESS = "Put the model into evaluation mode, model.eval(), or draw the numbers outside it."


def traced(module: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[list[Value], list[Operand]]:
    """Trace a module; return its inputs as values, and its outputs computed from them.

    Raises:
        Unsupported: the module cannot be traced, or uses an operator that the page does not have.
    """
    with silent(), torch.no_grad():
        program = _exported(module, tuple(inputs.values()))
        values = [Value("input", (), {}, tuple(x.shape), is_integer(x)) for x in inputs.values()]
        plan = program.graph_signature
        names = {
            **plan.inputs_to_parameters,
            **plan.inputs_to_buffers,
            **plan.inputs_to_lifted_tensor_constants,
        }
        stored = {**program.state_dict, **program.constants}
        given = iter(values)
        first = [
            stored[names[spec.arg.name]].detach().cpu() if spec.arg.name in names else next(given)
            for spec in plan.input_specs
        ]
        translator = _Translator(program.graph_module)
        # It would be added to error messages.
        translator.extra_traceback = False
        found = translator.run(*first, enable_io_processing=False)
        # Updated buffers precede the outputs of the module.
        return values, list(found)[len(plan.output_specs) - len(plan.user_outputs) :]


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


def _exported(module: nn.Module, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    """Export a module with PyTorch's core operators and those in `WHOLE`, without mutation."""
    default: Mapping[Any, Any] = default_decompositions()
    table = {op: how for op, how in default.items() if op.overloadpacket.__name__ not in WHOLE}
    try:
        program = torch.export.export(module, inputs, strict=False)
        decomposed: ExportedProgram = program.run_decompositions(table)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unsupported(
            f"{type(module).__name__} cannot be exported as a graph ({reason})",
            NO_CONTROL_FLOW,
        ) from error
    return decomposed


class _Translator(Interpreter):
    """Evaluates a traced graph on values and constants."""

    def run_node(self, n: Node) -> Any:
        """Translate an operator, or evaluate it with PyTorch if it depends on no input."""
        target = n.target
        if isinstance(target, OpOverload) and torch.Tag.nondeterministic_seeded in target.tags:
            raise Unsupported(f'A network draws random numbers ("aten.{_name(n)}")', NO_RANDOMNESS)
        if n.op != "call_function":
            return super().run_node(n)
        if not n.users:
            # An assertion.
            return None
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        if target is operator.getitem and args[1] >= len(args[0]):
            raise Unsupported(f"A page cannot compute all results of {n.args[0]}", OTHER_LAYERS)
        if target is operator.getitem or not _has_values((args, kwargs)):
            return super().run_node(n)
        return _translated(n, args, kwargs)


def _translated(node: Node, args: Any, kwargs: Any) -> Any:
    name, out = _name(node), node.meta["val"]
    if name in VIEWS:
        shown = node.target(meta(args[0]), *args[1:], **kwargs)  # type: ignore[operator]
        if isinstance(shown, Tensor):
            return viewed(args[0], shown)
        return [viewed(args[0], each) for each in shown]
    if isinstance(out, Tensor) and any(isinstance(side, torch.SymInt) for side in out.shape):
        raise Unsupported(
            f'A shape depends on the values of the input ("aten.{name}")', NO_CONTROL_FLOW
        )
    if name not in OPERATORS:
        raise Unsupported(
            f'A page cannot compute the operator "aten.{name}" of this network', OTHER_LAYERS
        )
    lower = OPERATORS[name]
    kwargs = {key: value for key, value in kwargs.items() if key not in LAYOUT}
    try:
        signature(lower).bind(out, *args, **kwargs)
    except TypeError as error:
        raise Unsupported(
            f'A page cannot compute "aten.{name}" with these arguments', OTHER_LAYERS
        ) from error
    return lower(out, *args, **kwargs)


def _has_values(arguments: Any) -> bool:
    leaves: list[Any] = []
    map_aggregate(arguments, leaves.append)
    return any(isinstance(leaf, Value) for leaf in leaves)


def _name(node: Node) -> str:
    """The name of an operator without its overload, such as "add"."""
    target = node.target
    return target.overloadpacket.__name__ if isinstance(target, OpOverload) else str(target)
