"""Layers of torch that use a whole batch, where several processes compute a part of it each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from autoencode.maths.sharding import batch_count, current_shard, of_processes


@contextmanager
def whole_batch_layers(module: nn.Module) -> Iterator[None]:
    """Context manager inside which these layers compute as if one process had the whole batch.

    Batch normalisation uses the statistics of all processes, on any device (torch's
    `SyncBatchNorm` needs a GPU). Dropout takes its rows of the mask of the whole batch.
    """
    changed = []
    for each in module.modules():
        function: Callable[..., Tensor] | None = None
        if isinstance(each, _BatchNorm) and type(each).forward is _BatchNorm.forward:
            function = partial(_batch_norm, each)
        elif type(each) is nn.Dropout:
            function = partial(_dropout, each)
        if function is not None:
            # An attribute of the instance is called instead of the method of its class.
            each.forward = function
            changed.append(each)
    try:
        yield
    finally:
        for each in changed:
            del each.forward


def _batch_norm(layer: _BatchNorm, x: Tensor) -> Tensor:
    """Batch normalisation [ioffe2015] of [N, C, …] by the statistics of all processes."""
    if current_shard() is None or not (layer.training or layer.running_mean is None):
        return _BatchNorm.forward(layer, x)
    layer._check_input_dim(x)  # type: ignore[no-untyped-call]  # torch gives it no types
    values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    others = [dim for dim in range(x.dim()) if dim != 1]
    shape = [-1 if dim == 1 else 1 for dim in range(x.dim())]
    own_variance, own_mean = torch.var_mean(values, others, correction=0)
    own_count = torch.full_like(own_mean, values.numel() / x.shape[1])
    # One exchange for each layer, and one in the backward pass.
    counts, means, variances = of_processes(
        torch.stack([own_count, own_mean, own_variance])
    ).unbind(1)
    count = batch_count(x.shape[0]) * x[0, 0].numel()
    shares = counts / count
    mean = (shares * means).sum(0)
    variance = (shares * (variances + (means - mean).square())).sum(0)
    if layer.training and layer.running_mean is not None and layer.running_var is not None:
        with torch.no_grad():
            assert layer.num_batches_tracked is not None
            layer.num_batches_tracked.add_(1)
            momentum = layer.momentum
            weight = 1 / float(layer.num_batches_tracked) if momentum is None else momentum
            layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), weight)
            unbiased = variance * (count / (count - 1))
            layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), weight)
    scale = (variance + layer.eps).rsqrt()
    normal = (values - mean.reshape(shape)) * scale.reshape(shape)
    if layer.weight is not None:
        normal = normal * layer.weight.reshape(shape) + layer.bias.reshape(shape)
    return normal.to(x.dtype)


def _dropout(layer: nn.Dropout, x: Tensor) -> Tensor:
    """Dropout [srivastava2014] of [N, …], where N is a multiple of the rows of this process."""
    shard = current_shard()
    if shard is None or not layer.training or x.shape[0] % shard.rows:
        return nn.Dropout.forward(layer, x)
    samples = x.shape[0] // shard.rows
    ones = torch.ones(samples * shard.total, *x.shape[1:], dtype=x.dtype, device=x.device)
    mask = functional.dropout(ones, layer.p).reshape(samples, shard.total, *x.shape[1:])
    return x * mask[:, shard.start : shard.stop].reshape(x.shape)
