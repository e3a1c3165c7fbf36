"""Linear layers, matrix products and normalisation layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from autoencode.explorer.values import Lower, Operand, Unsupported, Value, binary, linear, matmul


def addmm(
    out: Tensor, bias: Operand, a: Operand, b: Operand, beta: float = 1, alpha: float = 1
) -> Value:
    """beta bias + alpha a b."""
    product = matmul(a, b)
    product = product if alpha == 1 else binary("mul", product, alpha)
    return binary("add", product, bias if beta == 1 else binary("mul", bias, beta))


def batch_norm(
    out: Any,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    momentum: float,
    eps: float,
) -> list[Value]:
    """A scale and a shift per channel, folded into the preceding layer if possible."""
    scale = (variance + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return [_scaled(x, scale, shift)]


def batch_statistics(out: Any, *args: Any) -> list[Value]:
    """Refuse batch normalisation that does not use running statistics.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(
        "Batch normalisation uses the statistics of the batch, which is one image here",
        "Put the model into evaluation mode: model.eval().",
    )


def _scaled(x: Value, scale: Tensor, shift: Tensor) -> Value:
    layer = x.op in ("conv2d", "conv_transpose2d") or (x.op == "linear" and len(x.shape) == 2)
    if layer and x.args.get("groups", 1) == 1:
        # If the layer has other uses, it is computed twice: rare, and still correct.
        inner, weight, *old = x.of
        assert isinstance(weight, Tensor)
        outputs = 1 if x.op == "conv_transpose2d" else 0
        sides = [-1 if d == outputs else 1 for d in range(weight.dim())]
        bias = shift + sum(each * scale for each in old if isinstance(each, Tensor))
        return replace(x, of=(inner, weight * scale.reshape(sides), bias))
    sides = [-1 if d == 1 else 1 for d in range(len(x.shape))]
    return binary("add", binary("mul", x, scale.reshape(sides)), shift.reshape(sides))


def layer_norm(
    out: Tensor,
    x: Value,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = False,
) -> Value:
    """Layer normalisation over the last dimensions."""
    return _standardised(x, math.prod(shape), eps, weight, bias)


def group_norm(
    out: Tensor,
    x: Value,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = False,
) -> Value:
    """Normalisation of each group of channels."""
    size = math.prod(x.shape) // (x.shape[0] * groups)
    sides = (-1, *[1] * (len(x.shape) - 2))
    affine = [None if each is None else each.reshape(sides) for each in (weight, bias)]
    return _standardised(x, size, eps, *affine)


def instance_norm(
    out: Tensor,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn: bool = False,
) -> Value:
    """Normalisation of each channel, by running statistics if the layer tracks them."""
    if use_input_stats or mean is None or variance is None:
        return group_norm(out, x, x.shape[1], weight, bias, eps)
    return batch_norm(out, x, weight, bias, mean, variance, momentum, eps)[0]


def _standardised(
    x: Value, size: int, eps: float, weight: Tensor | None, bias: Tensor | None
) -> Value:
    """Each run of `size` numbers minus its mean, divided by √(variance + eps), then W x + b."""
    x = Value("standardize", (x,), {"size": size, "eps": eps}, x.shape)
    x = x if weight is None else binary("mul", x, weight)
    return x if bias is None else binary("add", x, bias)


LAYERS: Mapping[str, Lower] = {
    "linear": lambda out, x, weight, bias=None: linear(x, weight, bias),
    **dict.fromkeys(("matmul", "mm", "bmm"), lambda out, a, b: matmul(a, b)),
    "addmm": addmm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_native_batch_norm_legit": batch_statistics,
    "_native_batch_norm_legit_functional": batch_statistics,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
}
