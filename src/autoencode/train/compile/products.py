"""Operations of a traced step, rewritten as large matrix products and sums.

Products of thin matrices and convolutions of a few channels by a library take longer than reading
their numbers from memory, and operations between two calls of a library are not fused with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# A matrix product with a side of at most so many numbers becomes a sum, unless another side is
# longer than the second number.
MAX_THIN, MAX_LONG = 4, 4096
# A convolution with at most so many channels on its narrower side becomes a product of patches,
# where these hold at most so many numbers.
MAX_CHANNELS, MAX_NUMBERS = 32, 2**24


def _mm(a: Tensor, b: Tensor) -> Any:
    """A product of thin matrices as sums, which fuse with the operations around them.

    Each sum runs along contiguous memory.
    """
    rows, inner, columns = *a.shape, b.shape[1]
    sides = rows, inner, columns
    if min(sides) > MAX_THIN or max(sides) > MAX_LONG or a.dtype != torch.float32:
        return NotImplemented
    if inner <= MAX_THIN:
        return (a.unsqueeze(2) * contiguous(b).unsqueeze(0)).sum(1)
    if columns <= MAX_THIN:
        return (a.unsqueeze(1) * contiguous(b.t()).unsqueeze(0)).sum(2)
    return (a.t().unsqueeze(2) * b.unsqueeze(1)).sum(0)


def contiguous(x: Tensor) -> Tensor:
    """The same numbers, contiguous in memory; the compiler would compute each anew at each use."""
    x = x.contiguous()
    # A view of memory makes the compiler write the numbers to memory.
    return x.as_strided(x.shape, x.stride())


def _addmm(c: Tensor, a: Tensor, b: Tensor, **scales: Any) -> Any:
    """A product and a sum, where the sum is fused with the next operation."""
    if scales:
        return NotImplemented
    found = _mm(a, b)
    # In three dimensions, because the compiler would join a product and a sum to one operation.
    return ((a @ b if found is NotImplemented else found).unsqueeze(0) + c).squeeze(0)


def _convolution(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """A convolution of images [B, C, H, W] as a product with their patches."""
    sides = x.shape[2:]
    if transposed:
        sides = torch.Size(
            (n - 1) * s - 2 * p + k + more
            for n, s, p, k, more in zip(
                sides, stride, padding, w.shape[2:], output_padding, strict=True
            )
        )
    wide = (len(x), w.shape[1], *sides) if transposed else x.shape
    if not _is_narrow(wide, w, stride, dilation, groups):
        return NotImplemented
    if transposed:
        out = _transposed(x, w, stride, padding, sides)
    else:
        patches = _patches(x, w.shape[2:], stride, padding)
        out = _images(w.flatten(1) @ patches.flatten(1), patches.shape[1:3])
    # Contiguous as the result of a library: the trace took views of that.
    return (out if bias is None else out + bias[:, None, None]).contiguous()


def _convolution_backward(
    g: Tensor,
    x: Tensor,
    w: Tensor,
    bias_sizes: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    mask: Sequence[bool],
) -> Any:
    """The gradients of input, weights and bias, from the gradient of the output."""
    wide, narrow = (g, x) if transposed else (x, g)
    if not _is_narrow(wide.shape, w, stride, dilation, groups):
        return NotImplemented
    patches = _patches(wide, w.shape[2:], stride, padding)
    # Both with their channels first, [C, numbers].
    of_w = (_channels_first(narrow) @ patches.flatten(1).t()).view(w.shape) if mask[1] else None
    of_x = None
    if mask[0] and transposed:
        of_x = _images(w.flatten(1) @ patches.flatten(1), patches.shape[1:3])
    elif mask[0]:
        of_x = _transposed(g, w, stride, padding, x.shape[2:])
    of_x = None if of_x is None else of_x.contiguous()
    return of_x, of_w, g.sum((0, 2, 3)) if mask[2] else None


def _is_narrow(
    wide: Sequence[int], w: Tensor, stride: Sequence[int], dilation: Sequence[int], groups: int
) -> bool:
    """Whether a convolution has few channels, and strides: a library is fast without strides.

    wide: the shape of the images on the side with more pixels.
    """
    plain = len(wide) == 4 and min(stride) > 1 and set(dilation) == {1} and groups == 1
    few = min(w.shape[:2]) <= MAX_CHANNELS
    numbers = prod(wide) * prod(w.shape[2:]) // prod(stride)
    return plain and few and numbers <= MAX_NUMBERS and w.device.type == "cpu"


def _channels_first(x: Tensor) -> Tensor:
    """[B, C, H, W] to [C, H·W·B]."""
    return contiguous(x.permute(1, 2, 3, 0)).flatten(1)


def _images(rows: Tensor, sides: Sequence[int]) -> Tensor:
    """[C, h·w·B] to [B, C, h, w]."""
    return rows.view(len(rows), *sides, -1).permute(3, 0, 1, 2)


def _patches(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """The pixels under the kernel at each position: [B, C, H, W] to [C·k·k, h, w, B].

    The examples are the last dimension, so that memory is read in long runs for every stride.
    """
    (high, wide), (down, along), (top, left) = kernel, stride, padding
    sides = [
        (n + 2 * p - k) // s + 1
        for n, p, k, s in zip(x.shape[2:], padding, kernel, stride, strict=True)
    ]
    x = contiguous(functional.pad(x.permute(1, 2, 3, 0), (0, 0, left, left, top, top)))
    pixels = [
        x[:, i : i + down * sides[0] : down, j : j + along * sides[1] : along]
        for i in range(high)
        for j in range(wide)
    ]
    return contiguous(torch.stack(pixels, 1).flatten(0, 1))


def _transposed(
    y: Tensor, w: Tensor, stride: Sequence[int], padding: Sequence[int], sides: Sequence[int]
) -> Tensor:
    """The transposed convolution of y [B, O, h, w] by w [O, C, k, k], to images [B, C, *sides].

    Pixels at the same offset between the strides use the same weights, so that one product gives
    all of them: [s·s·C, O·m·m] with [O·m·m, places].
    """
    (down, along), (top, left) = stride, padding
    taps = [-(-k // s) for k, s in zip(w.shape[2:], stride, strict=True)]
    places = [-(-(n + p) // s) for n, p, s in zip(sides, padding, stride, strict=True)]
    outputs, channels = w.shape[:2]
    missing = [m * s - k for m, s, k in zip(taps, stride, w.shape[2:], strict=True)]
    w = functional.pad(w, (0, missing[1], 0, missing[0]))
    # Kernel row r + s·m belongs to the pixels at offset r of each stride, m places on.
    parts = w.view(outputs, channels, taps[0], down, taps[1], along)
    weights = parts.permute(3, 5, 1, 0, 2, 4).reshape(down * along * channels, -1)
    above, before = (m - 1 for m in taps)
    below, after = (max(0, q - n) for q, n in zip(places, y.shape[2:], strict=True))
    y = contiguous(functional.pad(y.permute(1, 2, 3, 0), (0, 0, before, after, above, below)))
    pixels = [
        y[:, above - m : above - m + places[0], before - n : before - n + places[1]]
        for m in range(taps[0])
        for n in range(taps[1])
    ]
    neighbours = contiguous(torch.stack(pixels, 1).flatten(0, 1))
    found = contiguous(weights) @ neighbours.flatten(1)
    found = found.view(down, along, channels, *places, -1)
    images = found.permute(2, 3, 0, 4, 1, 5).reshape(
        channels, places[0] * down, places[1] * along, -1
    )
    return images[:, top : top + sides[0], left : left + sides[1]].permute(3, 0, 1, 2)


MATRICES: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.mm.default: _mm,
    torch.ops.aten.addmm.default: _addmm,
}
AS_PRODUCTS: dict[Any, Callable[..., Any]] = {
    **MATRICES,
    torch.ops.aten.convolution.default: _convolution,
    torch.ops.aten.convolution_backward.default: _convolution_backward,
}
