"""Operations of a traced step on feature maps with their channels last in memory.

Libraries compute convolutions of large maps fastest in this layout. Normalisation, which has a
number for each channel, is rewritten: with fewer channels than a processor's vectors have numbers,
a compiler would compute one number at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencode.train.compile.products import MATRICES, contiguous

ATEN = torch.ops.aten
LAST = torch.channels_last
# Numbers of a row that one operation takes, and rows that are summed before the next rows: few
# enough for the nearest cache.
ROW, ROWS = 64, 128
# Images with fewer channels are stored channel by channel, as the data are.
MIN_CHANNELS = 8


def _convolution(x: Tensor, w: Tensor, bias: Tensor | None, *arguments: Any) -> Any:
    """A convolution whose maps have their channels last."""
    if x.dim() != 4 or _are_last(x, w):
        return NotImplemented
    out = ATEN.convolution.default(_last(x), _last(w), bias, *arguments)
    return contiguous(out) if out.shape[1] < MIN_CHANNELS else out


def _convolution_backward(g: Tensor, x: Tensor, w: Tensor, *arguments: Any) -> Any:
    """The gradients of a convolution whose maps have their channels last."""
    if x.dim() != 4 or _are_last(g, x, w):
        return NotImplemented
    return ATEN.convolution_backward.default(_last(g), _last(x), _last(w), *arguments)


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """The normalised maps, the means of the channels, and 1/√(variance + eps)."""
    if weight is None or bias is None or not _fits(x, training):
        return NotImplemented
    rows, count = _rows(x), x.numel() // x.shape[1]
    mean = _sums(rows, x) / count
    squares = (rows - _repeated(mean, rows)).square()
    variance = _sums(squares, x) / count
    inverse = (variance + eps).rsqrt()
    scale = weight * inverse
    out = rows * _repeated(scale, rows) + _repeated(bias - mean * scale, rows)
    if running_mean is not None and running_var is not None:
        unbiased = variance * (count / max(1, count - 1))
        running_mean.copy_(running_mean.lerp(mean, momentum))
        running_var.copy_(running_var.lerp(unbiased, momentum))
    return _maps(out, x), mean, inverse


def _batch_norm_backward(
    g: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    training: bool,
    eps: float,
    mask: Sequence[bool],
) -> Any:
    """The gradients of maps, weight and bias."""
    if weight is None or not _fits(x, training):
        return NotImplemented
    rows, count = _rows(x), x.numel() // x.shape[1]
    given = _rows(_written(_last(g)))
    of_bias = _sums(given, x)
    of_weight = _sums(given * (rows - _repeated(mean, rows)), x) * inverse
    # g·a − x·k − c, with numbers a, k and c of each channel.
    a = weight * inverse
    k = a * inverse * of_weight / count
    c = a * of_bias / count - mean * k
    of_x = given * _repeated(a, rows) - rows * _repeated(k, rows) - _repeated(c, rows)
    return _maps(of_x, x), of_weight, of_bias


def _layer_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> Any:
    """Maps normalised over all numbers of an example, their means and 1/√(variance + eps)."""
    if weight is None or bias is None or groups != 1 or not _fits(x):
        return NotImplemented
    rows, count = _rows_of_examples(x), channels * pixels
    mean = _sum_of_examples(rows) / count
    variance = _sum_of_examples((rows - mean).square()) / count
    inverse = (variance + eps).rsqrt()
    out = (rows - mean) * inverse * _repeated(weight, rows) + _repeated(bias, rows)
    return _maps(out, x), mean.view(batch, 1), inverse.view(batch, 1)


def _layer_norm_backward(
    g: Tensor,
    x: Tensor,
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    mask: Sequence[bool],
) -> Any:
    """The gradients of maps, weight and bias."""
    if weight is None or groups != 1 or not _fits(x):
        return NotImplemented
    rows, count = _rows_of_examples(x), channels * pixels
    given = _rows_of_examples(_written(_last(g)))
    normal = (rows - mean.view(-1, 1, 1)) * inverse.view(-1, 1, 1)
    of_normal = given * _repeated(weight, rows)
    centre = _sum_of_examples(of_normal) / count
    slope = _sum_of_examples(of_normal * normal) / count
    of_x = (of_normal - centre - normal * slope) * inverse.view(-1, 1, 1)
    return _maps(of_x, x), _sums(given * normal, x), _sums(given, x)


def _fits(x: Tensor, training: bool = True) -> bool:
    return x.dim() == 4 and training and _are_last(x)


def _are_last(*tensors: Tensor) -> bool:
    return all(each.is_contiguous(memory_format=LAST) for each in tensors)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=LAST)


def _written(x: Tensor) -> Tensor:
    """The same numbers, written to memory; the compiler would compute each anew at each use."""
    return x.as_strided(x.shape, x.stride())


def _rows(x: Tensor) -> Tensor:
    """Maps [B, C, H, W] as float32 [parts, rows, pixels · C], of at least `ROW` if that divides."""
    channels = x.shape[1]
    pixels = x.numel() // channels
    along = _divisor(pixels, -(-ROW // channels))
    rows = _divisor(pixels // along, ROWS)
    return x.permute(0, 2, 3, 1).reshape(-1, rows, along * channels).float()


def _rows_of_examples(x: Tensor) -> Tensor:
    """Maps [B, C, H, W] as float32 [B, rows, pixels · C], as `_rows` of each example."""
    channels, pixels = x.shape[1], x.shape[2] * x.shape[3]
    along = _divisor(pixels, -(-ROW // channels))
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, along * channels).float()


def _sum_of_examples(rows: Tensor) -> Tensor:
    """The sum of each example, [B, 1, 1], of rows of examples."""
    return contiguous(rows.sum(1)).sum(1).view(-1, 1, 1)


def _divisor(number: int, most: int) -> int:
    """The largest power of 2 that divides the number and is below twice `most`."""
    found = 1
    while found < most and number % (2 * found) == 0:
        found *= 2
    return found


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    """[parts, rows, pixels · C] as maps of the same shape and type, channels last."""
    batch, channels, high, wide = like.shape
    written = contiguous(rows.to(like.dtype))
    return written.view(batch, high, wide, channels).permute(0, 3, 1, 2)


def _sums(rows: Tensor, maps: Tensor) -> Tensor:
    """The sum of each channel, [C], of maps as rows."""
    return contiguous(rows.sum(1)).view(-1, maps.shape[1]).sum(0)


def _repeated(channels: Tensor, rows: Tensor) -> Tensor:
    """Numbers of each channel, [C], for each pixel of a row."""
    return contiguous(channels.repeat(rows.shape[2] // len(channels)))


CHANNELS_LAST: dict[Any, Callable[..., Any]] = {
    **MATRICES,
    ATEN.convolution.default: _convolution,
    ATEN.convolution_backward.default: _convolution_backward,
    ATEN.native_batch_norm.default: _batch_norm,
    ATEN.native_batch_norm_backward.default: _batch_norm_backward,
    ATEN.native_group_norm.default: _layer_norm,
    ATEN.native_group_norm_backward.default: _layer_norm_backward,
}
