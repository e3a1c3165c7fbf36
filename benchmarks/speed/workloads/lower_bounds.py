"""Lower bounds of the time of a training step: its arithmetic only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.maths import exact_products
from speed.workloads.nets import conv_net, course_net
from speed.workloads.steps import Steps

BATCH = 200
Operation = Callable[[], object]
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def products(latent: int, dtype: str, library: str = "default") -> Steps:
    """The matrix products of the course's network, forward and backward.

    library: "default" is the choice of torch; "oneDNN" computes float32 products as exactly.
    """
    return _arithmetic(course_net(latent), (1, 28, 28), dtype, "contiguous", library)


def convolutions(shape: tuple[int, int, int], latent: int, dtype: str, layout: str) -> Steps:
    """Convolutions and matrix products of the convolutional network, forward and backward."""
    return _arithmetic(conv_net(shape, latent), shape, dtype, layout, "default")


def decoding(latent: int, images: int, samples: int) -> Steps:
    """Matrix products of the decoder 2-512-784 for `samples` codes per image, float32 by oneDNN."""
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
    """The memory traffic of Adam: one copy of as many bytes as it reads and writes."""
    count = sum(p.numel() for p in course_net(latent).parameters())
    # Adam reads weights, gradients and two moments, and writes weights and moments.
    a, b = torch.zeros(count * 7 // 2), torch.zeros(count * 7 // 2)

    def steps() -> Iterator[None]:
        while True:
            b.copy_(a)
            yield

    return Steps(steps())


def _arithmetic(
    net: nn.Module, shape: tuple[int, int, int], dtype: str, layout: str, library: str
) -> Steps:
    forward, backward = _operations(net, shape, getattr(torch, dtype), FORMATS[layout])
    operations = [*forward, *reversed(backward)]

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad(), exact_products() if library == "oneDNN" else nullcontext():
                for operation in operations:
                    operation()
            yield

    return Steps(steps())


def _operations(
    net: nn.Module, shape: tuple[int, int, int], dtype: torch.dtype, layout: torch.memory_format
) -> tuple[list[Operation], list[Operation]]:
    """Forward and backward operations of the layers, on random tensors of the same shapes."""
    forward: list[Operation] = []
    backward: list[Operation] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        formats = {4: layout, 2: torch.contiguous_format}
        x = torch.rand_like(inputs[0], dtype=dtype).to(memory_format=formats[inputs[0].dim()])
        g = torch.rand_like(output, dtype=dtype).to(memory_format=formats[output.dim()])
        w = module.weight.detach().to(dtype).to(memory_format=formats[module.weight.dim()])
        # The gradient of the images is not needed.
        first = not forward
        if x.dim() == 2:
            product, gradients = _dense(x, w, g)
            gradients = gradients[:1] if first else gradients
        else:
            product, gradients = _conv(module, x, w, g, not first)
        forward.append(product)
        backward.extend(gradients)

    layers = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(record) for layer in layers]
    with torch.no_grad():
        net(torch.rand(BATCH, *shape))
    for hook in hooks:
        hook.remove()
    return forward, backward


def _dense(x: Tensor, w: Tensor, g: Tensor) -> tuple[Operation, list[Operation]]:
    return (lambda: x @ w.t()), [lambda: g.t() @ x, lambda: g @ w]


def _conv(
    layer: nn.Module, x: Tensor, w: Tensor, g: Tensor, input_gradient: bool
) -> tuple[Operation, list[Operation]]:
    transposed = isinstance(layer, nn.ConvTranspose2d)
    stride, padding, dilation = layer.stride, layer.padding, layer.dilation
    extra = layer.output_padding if transposed else (0, 0)
    arguments = (stride, padding, dilation, transposed, extra, 1)

    def convolution() -> Tensor:
        if transposed:
            return functional.conv_transpose2d(x, w, None, stride, padding, extra)
        return functional.conv2d(x, w, None, stride, padding)

    mask = (input_gradient, True, False)
    return convolution, [
        lambda: torch.ops.aten.convolution_backward(g, x, w, None, *arguments, mask)
    ]
