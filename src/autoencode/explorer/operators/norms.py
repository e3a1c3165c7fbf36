"""Normalisation layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autoencode.explorer.values import Lower, Unsupported, Value, binary


def batch_norm(
    out: Any,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn: bool = False,
) -> Value:
    """A scale and a shift per channel, folded into the preceding layer if possible.

    Raises:
        Unsupported: it uses the statistics of the batch.
    """
    if training or mean is None or variance is None:
        raise Unsupported(
            "Batch normalisation uses the statistics of the batch, which is one image here",
            "Put the model into evaluation mode: model.eval().",
        )
    scale = (variance + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return _scaled(x, scale, shift)


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


def batch_norm_only(out: Any, *args: Any) -> list[Value]:
    """Batch normalisation in evaluation mode, the first of three results."""
    x, weight, bias, mean, variance, momentum, eps = args
    return [batch_norm(out, x, weight, bias, mean, variance, False, momentum, eps)]


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
    return _affine(standardise(x, math.prod(shape), eps), weight, bias)


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
    return _affine(standardise(x, size, eps), _per_channel(weight, x), _per_channel(bias, x))


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
    if not use_input_stats:
        return batch_norm(out, x, weight, bias, mean, variance, False, momentum, eps)
    return group_norm(out, x, x.shape[1], weight, bias, eps)


def rms_norm(
    out: Tensor,
    x: Value,
    shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Value:
    """Root-mean-square normalisation over the last dimensions."""
    eps = torch.finfo(torch.float32).eps if eps is None else eps
    made = standardise(x, math.prod(shape), eps, center=False)
    return _affine(made, weight, None)


def standardise(x: Value, size: int, eps: float, center: bool = True) -> Value:
    """Standardise each run of `size` numbers: subtract the mean, divide by √(variance + eps)."""
    return Value("standardize", (x,), {"size": size, "eps": eps, "center": center}, x.shape)


def _affine(x: Value, weight: Tensor | None, bias: Tensor | None) -> Value:
    x = x if weight is None else binary("mul", x, weight)
    return x if bias is None else binary("add", x, bias)


def _per_channel(each: Tensor | None, x: Value) -> Tensor | None:
    return None if each is None else each.reshape(-1, *[1] * (len(x.shape) - 2))


NORMS: Mapping[str, Lower] = {
    "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm_only,
    "_native_batch_norm_legit_functional": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "rms_norm": rms_norm,
}
