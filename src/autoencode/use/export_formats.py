"""The formats of exported models: ONNX, and programs of `torch.export`."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from autoencode.errors import AutoencodeError, ResourceError
from autoencode.maths import tracing
from autoencode.use.export_graph import ExportedPart, raw_dtype, raw_shape, torch_dtype

# The lowest version of the operators that the exporter of PyTorch writes; all runtimes of the last
# three years read it.
OPSET = 18
# A file of protocol buffers cannot be larger.
MAX_BYTES = 2**31 - 1
OTHER_LAYERS = (
    "Replace Python control flow that depends on the input by tensor operators, and other "
    "operators by those that the exporter of PyTorch supports."
)

Outputs = list[np.ndarray]
# Arrays of the inputs, in order -> arrays of the outputs, in order.
Runner = Callable[[Sequence[np.ndarray]], Outputs]


def example_inputs(part: ExportedPart, n: int = 2) -> tuple[Tensor, ...]:
    """Inputs of a part, of which only shapes and types matter."""
    sizes, preprocessing = part.model.sizes, part.model.preprocessing
    assert preprocessing is not None
    if part.part == "decoder":
        first = torch.zeros(n, *sizes.z)
    else:
        kind = torch_dtype(raw_dtype(preprocessing))
        first = torch.zeros(n, *raw_shape(preprocessing), dtype=kind)
    if part.condition is None:
        return (first,)
    if part.condition == "labels":
        return first, torch.zeros(n, dtype=torch.int64)
    return first, torch.zeros(n, sizes.context)


def program_of(part: ExportedPart) -> ExportedProgram:
    """The part as a graph of operators, for any number of examples.

    Raises:
        AutoencodeError: it cannot be traced.
    """
    inputs = example_inputs(part)
    batch = Dim("batch", min=1)
    with _exporting(part, "traced"), tracing():
        return torch.export.export(
            part, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs), strict=False
        )


def torch_bytes(part: ExportedPart, metadata: Mapping[str, str]) -> bytes:
    """The bytes of a .pt2 file, which `torch.export.load` reads, with `metadata.json` inside."""
    program = program_of(part)
    if _without_unused_weights(part, program):
        program = program_of(part)
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            # It names files of this machine.
            node.meta.pop("stack_trace", None)
    file = BytesIO()
    with _exporting(part, "written"):
        torch.export.save(program, file, extra_files={"metadata.json": json.dumps(dict(metadata))})
    return file.getvalue()


def run_torch(content: bytes) -> Runner:
    """Runs the content of a .pt2 file."""
    with _silent():
        module = torch.export.load(BytesIO(content)).module()

    def run(inputs: Sequence[np.ndarray]) -> Outputs:
        with torch.no_grad():
            return [each.numpy() for each in module(*map(torch.from_numpy, inputs))]

    return run


def require_onnx() -> None:
    """Checks that the packages of the extra "onnx" are installed.

    Raises:
        AutoencodeError: one is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise AutoencodeError(
            f"Writing ONNX needs {error.name}, which is not installed",
            'Install it: pip install "autoencode[onnx]", or use --format torch (format="torch").',
        ) from error


def onnx_bytes(part: ExportedPart, metadata: Mapping[str, str], half: bool) -> bytes:
    """The bytes of an .onnx file: one graph with all weights inside.

    half: store matrices and kernels in float16; the file computes in float32.

    Raises:
        AutoencodeError: an operator cannot be exported.
        ResourceError: the file would have more than 2 GB.
    """
    import onnx

    program = program_of(part)
    _without_unused_weights(part, program)
    if part.weight_bytes() > MAX_BYTES:  # before the time and the memory that it would take
        raise _too_large(part.weight_bytes())
    with _exporting(part, "exported"):
        exported = torch.onnx.export(
            program,
            (),
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            opset_version=OPSET,
            external_data=False,
            optimize=True,
            verbose=False,
        )
        assert exported is not None
        model = exported.model_proto
    _strip(model.graph)
    model.producer_name, model.producer_version = "autoencode", metadata["autoencode_version"]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    if half:
        _halve(model.graph)
    if model.ByteSize() > MAX_BYTES:
        raise _too_large(model.ByteSize())
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def run_onnx(content: bytes) -> Runner:
    """Runs the content of an .onnx file with onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(inputs: Sequence[np.ndarray]) -> Outputs:
        found: Outputs = session.run(None, dict(zip(names, inputs, strict=True)))
        return found

    return run


def _too_large(count: int) -> ResourceError:
    """The error of a model that one .onnx file cannot hold."""
    return ResourceError(
        f"The model has {count / 2**30:.1f} GiB, and one .onnx file holds 2 GiB at most",
        'Use --format torch (format="torch"), or export one part: --part encoder.',
    )


def _strip(graph: Any) -> None:
    """Removes what names files and modules of this machine."""
    graph.doc_string = ""
    del graph.metadata_props[:]
    for each in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        each.doc_string = ""
        del each.metadata_props[:]


def _halve(graph: Any) -> None:
    """Stores float32 weights of two or more dimensions in float16, and casts them back."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        values = numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _without_unused_weights(part: ExportedPart, program: ExportedProgram) -> bool:
    """Removes the weights that a program does not use from the part; whether there were some."""
    users = {node.name: bool(node.users) for node in program.graph.nodes}
    plan = program.graph_signature
    stored = {**plan.inputs_to_parameters, **plan.inputs_to_buffers}
    unused = [path for name, path in stored.items() if not users[name]]
    for path in unused:
        owner, _, name = path.rpartition(".")
        setattr(part.get_submodule(owner), name, None)
    return bool(unused)


@contextmanager
def _exporting(part: ExportedPart, what: str) -> Iterator[None]:
    """Runs an exporter without its output; its errors become errors of the package."""
    try:
        with _silent(), torch.no_grad():
            yield
    except AutoencodeError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AutoencodeError(
            f'"{part.model.recipe.name}" cannot be {what} ({reason})', OTHER_LAYERS
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Suppresses warnings, logs and output: failures are exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stderr(StringIO()),
            redirect_stdout(StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
