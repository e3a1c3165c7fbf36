"""Linear layers, convolutions, matrix products and attention."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.explorer.operators.reductions import softmax
from autoencode.explorer.operators.windows import Sides, pad, pair, with_height
from autoencode.explorer.values import (
    Lower,
    Operand,
    Unsupported,
    Value,
    binary,
    linear,
    matmul,
    meta,
    permute,
    reshape,
    reshaped,
    shape_of,
    where,
)


def dense(out: Tensor, x: Operand, weight: Operand, bias: Operand | None = None) -> Value:
    """x Wᵀ + b."""
    return linear(x, weight, bias)


def addmm(
    out: Tensor, bias: Operand, a: Operand, b: Operand, beta: float = 1, alpha: float = 1
) -> Value:
    """beta bias + alpha a b."""
    product = matmul(a, b)
    product = product if alpha == 1 else binary("mul", product, alpha)
    return binary("add", product, bias if beta == 1 else binary("mul", bias, beta))


def convolution(
    out: Tensor,
    x: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Sides,
    padding: Sides,
    dilation: Sides,
    transposed: bool,
    output_padding: Sides,
    groups: int,
) -> Value:
    """A (transposed) convolution over one or two dimensions."""
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise Unsupported(
            "The kernel of a convolution depends on the input", "Use a parameter of the network."
        )
    rank = len(shape_of(weight)) - 2
    if rank > 2:
        raise Unsupported(f"A convolution has {rank} dimensions", "Use one or two.")
    batched = len(shape_of(x)) == rank + 2
    x = x if batched else reshaped(x, (1, *shape_of(x)))
    args = {"stride": stride, "padding": padding, "dilation": dilation}
    args |= {"output_padding": output_padding} if transposed else {}
    pairs = {name: pair(sides, rank, 0 if "padding" in name else 1) for name, sides in args.items()}
    if rank == 1:
        x, weight = reshaped(x, with_height(shape_of(x))), weight.unsqueeze(2)
    of = (x, weight) if bias is None else (x, weight, bias)
    # A 1-D convolution is a 2-D convolution of an image with one row.
    shape = (shape_of(x)[0], *out.shape[-1 - rank :])
    made = Value(
        "conv_transpose2d" if transposed else "conv2d",
        of,
        {**pairs, "groups": groups},
        shape if rank == 2 else with_height(shape),
    )
    return made if rank == 2 and batched else reshape(made, tuple(out.shape))


def conv(
    out: Tensor,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Sides = 1,
    padding: Sides | str = 0,
    dilation: Sides = 1,
    groups: int = 1,
) -> Value:
    """A convolution, whose padding may be "same" or "valid"."""
    if padding == "valid":
        padding = 0
    if isinstance(padding, str):
        rank = len(shape_of(weight)) - 2
        steps, kernel = pair(dilation, rank, 1)[-rank:], shape_of(weight)[2:]
        spans = [step * (side - 1) for step, side in zip(steps, kernel, strict=True)]
        padding = [span // 2 for span in spans]
        # An odd span has one more pixel of padding at the end.
        more = [side for span in reversed(spans) for side in (0, span % 2)]
        if any(more):
            x = pad(functional.pad(meta(x), more), x, more)
    return convolution(out, x, weight, bias, stride, padding, dilation, False, 0, groups)


def conv_transpose(
    out: Tensor,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Sides = 1,
    padding: Sides = 0,
    output_padding: Sides = 0,
    groups: int = 1,
    dilation: Sides = 1,
) -> Value:
    """A transposed convolution."""
    return convolution(
        out, x, weight, bias, stride, padding, dilation, True, output_padding, groups
    )


def attention(
    out: Tensor,
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Operand | None = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """softmax(q kᵀ / √d) v."""
    if is_causal or enable_gqa or dropout:
        raise Unsupported("Attention is causal, grouped or has dropout", "Use plain attention.")
    rank = len(shape_of(k))
    keys = k.mT if isinstance(k, Tensor) else permute(k, (*range(rank - 2), rank - 1, rank - 2))
    weight = binary("mul", matmul(q, keys), scale or 1 / math.sqrt(shape_of(q)[-1]))
    if mask is not None:
        boolean = not isinstance(mask, Value) and mask.dtype is torch.bool
        weight = where(mask, weight, -math.inf) if boolean else binary("add", weight, mask)
    return matmul(softmax(weight, -1), v)


LAYERS: Mapping[str, Lower] = {
    "linear": dense,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), lambda out, a, b: matmul(a, b)),
    "addmm": addmm,
    "baddbmm": addmm,
    "conv1d": conv,
    "conv2d": conv,
    "conv_transpose1d": conv_transpose,
    "conv_transpose2d": conv_transpose,
    "convolution": convolution,
    "scaled_dot_product_attention": attention,
}
