"""Layers that bring numbers to mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autoencode.explorer.values import Lower, Unsupported, Value, binary

OF_BATCH = (
    "Batch normalisation would be over the batch, which is one image here",
    "Put the model into evaluation mode: model.eval().",
)


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
    """A scale and a shift for each channel, taken into the layer before it where there is one."""
    if training or mean is None or variance is None:
        raise Unsupported(*OF_BATCH)
    scale = (variance + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return _scaled(x, scale, shift)


def _scaled(x: Value, scale: Tensor, shift: Tensor) -> Value:
    layer = x.op in ("conv2d", "conv_transpose2d") or (x.op == "linear" and len(x.shape) == 2)
    if layer and x.args.get("groups", 1) == 1:
        # Where the layer has other uses too, it is computed twice: rare, and right.
        inner, weight, *old = x.of
        assert isinstance(weight, Tensor)
        outputs = 1 if x.op == "conv_transpose2d" else 0
        sides = [-1 if d == outputs else 1 for d in range(weight.dim())]
        bias = shift + sum(each * scale for each in old if isinstance(each, Tensor))
        return replace(x, of=(inner, weight * scale.reshape(sides), bias))
    sides = [-1 if d == 1 else 1 for d in range(len(x.shape))]
    return binary("add", binary("mul", x, scale.reshape(sides)), shift.reshape(sides))


def batch_norm_of_batch(out: Any, *args: Any) -> Any:
    """What has no meaning for single images.

    Raises:
        Unsupported: always.
    """
    raise Unsupported(*OF_BATCH)


def batch_norm_only(out: Any, *args: Any) -> list[Value]:
    """Batch normalisation in evaluation, as the first of three results."""
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
    """Mean 0 and variance 1 over the last dimensions, then a scale and a shift."""
    return _affine(standard(x, math.prod(shape), eps), weight, bias)


def group_norm(
    out: Tensor,
    x: Value,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn: bool = False,
) -> Value:
    """Mean 0 and variance 1 over each group of channels, then a scale and a shift of each."""
    size = math.prod(x.shape) // (x.shape[0] * groups)
    return _affine(standard(x, size, eps), _of_channels(weight, x), _of_channels(bias, x))


def instance_norm(
    out: Tensor,
    x: Value,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    by_input: bool,
    momentum: float,
    eps: float,
    cudnn: bool = False,
) -> Value:
    """`group_norm` of single channels; by averages of the training where it kept them."""
    if not by_input:
        return batch_norm(out, x, weight, bias, mean, variance, False, momentum, eps)
    return group_norm(out, x, x.shape[1], weight, bias, eps)


def rms_norm(
    out: Tensor,
    x: Value,
    shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Value:
    """A mean square of 1 over the last dimensions, then a scale."""
    eps = torch.finfo(torch.float32).eps if eps is None else eps
    made = standard(x, math.prod(shape), eps, center=False)
    return _affine(made, weight, None)


def standard(x: Value, size: int, eps: float, center: bool = True) -> Value:
    """Each stretch of `size` numbers less its mean, divided by √(variance + eps)."""
    return Value("standardize", (x,), {"size": size, "eps": eps, "center": center}, x.shape)


def _affine(x: Value, weight: Tensor | None, bias: Tensor | None) -> Value:
    x = x if weight is None else binary("mul", x, weight)
    return x if bias is None else binary("add", x, bias)


def _of_channels(each: Tensor | None, x: Value) -> Tensor | None:
    return None if each is None else each.reshape(-1, *[1] * (len(x.shape) - 2))


NORMS: Mapping[str, Lower] = {
    "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm_only,
    "_native_batch_norm_legit_functional": batch_norm_of_batch,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "rms_norm": rms_norm,
}
