"""The arithmetic of a training step alone: what no loop can do without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.maths import exact_products
from speed.contenders.nets import conv_net, course_net
from speed.contenders.steps import Steps

BATCH = 200
Operation = Callable[[], object]
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def products(latent: int, dtype: str, by: str = "default") -> Steps:
    """The matrix products of the course's net, forwards and backwards.

    by: "default" is what torch takes; "oneDNN" has float32 products computed there, as exactly.
    """
    return _arithmetic(course_net(latent), (1, 28, 28), dtype, "contiguous", by)


def convolutions(shape: tuple[int, int, int], latent: int, dtype: str, layout: str) -> Steps:
    """Convolutions and matrix products of the convolutional network, forwards and backwards."""
    return _arithmetic(conv_net(shape, latent), shape, dtype, layout, "default")


def decoding(latent: int, images: int, samples: int) -> Steps:
    """The matrix products of 2-512-784 for so many codes of each image, float32 by oneDNN."""
    codes, hidden = torch.rand(samples, latent), torch.rand(samples, 512)
    first, last = torch.rand(512, latent), torch.rand(784, 512)

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad(), exact_products():
                for _ in range(images):
                    codes @ first.t(), hidden @ last.t()
            yield

    return Steps(steps())


def traffic(latent: int) -> Steps:
    """What Adam must read and write of memory, as one copy of so many bytes."""
    count = sum(p.numel() for p in course_net(latent).parameters())
    # Reads weights, gradients and two moments; writes weights and moments.
    a, b = torch.zeros(count * 7 // 2), torch.zeros(count * 7 // 2)

    def steps() -> Iterator[None]:
        while True:
            b.copy_(a)
            yield

    return Steps(steps())


def _arithmetic(
    net: nn.Module, shape: tuple[int, int, int], dtype: str, layout: str, by: str
) -> Steps:
    there, back = _operations(net, shape, getattr(torch, dtype), FORMATS[layout])
    operations = [*there, *reversed(back)]

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad(), exact_products() if by == "oneDNN" else nullcontext():
                for operation in operations:
                    operation()
            yield

    return Steps(steps())


def _operations(
    net: nn.Module, shape: tuple[int, int, int], dtype: torch.dtype, layout: torch.memory_format
) -> tuple[list[Operation], list[Operation]]:
    """What the layers compute forwards, and backwards, on random numbers of the right shapes."""
    there: list[Operation] = []
    back: list[Operation] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kinds = {4: layout, 2: torch.contiguous_format}
        x = torch.rand_like(inputs[0], dtype=dtype).to(memory_format=kinds[inputs[0].dim()])
        g = torch.rand_like(output, dtype=dtype).to(memory_format=kinds[output.dim()])
        w = module.weight.detach().to(dtype).to(memory_format=kinds[module.weight.dim()])
        # Nobody asks for the gradient of the images.
        forth, back_of = _dense(x, w, g) if x.dim() == 2 else _conv(module, x, w, g, bool(there))
        back.extend(back_of[: 1 if x.dim() == 2 and not there else 2])
        there.append(forth)

    layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        net(torch.rand(BATCH, *shape))
    for hook in hooks:
        hook.remove()
    return there, back


def _dense(x: Tensor, w: Tensor, g: Tensor) -> tuple[Operation, list[Operation]]:
    return (lambda: x @ w.t()), [lambda: g.t() @ x, lambda: g @ w]


def _conv(
    layer: nn.Module, x: Tensor, w: Tensor, g: Tensor, inner: bool
) -> tuple[Operation, list[Operation]]:
    turned = isinstance(layer, nn.ConvTranspose2d)
    stride, padding, dilation = layer.stride, layer.padding, layer.dilation
    extra = layer.output_padding if turned else (0, 0)
    numbers = (stride, padding, dilation, turned, extra, 1)

    def forth() -> Tensor:
        if turned:
            return functional.conv_transpose2d(x, w, None, stride, padding, extra)
        return functional.conv2d(x, w, None, stride, padding)

    mask = (inner, True, False)
    return forth, [lambda: torch.ops.aten.convolution_backward(g, x, w, None, *numbers, mask)]
