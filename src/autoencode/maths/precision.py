"""Numerical precision: codes and likelihoods are computed in float32 or better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def widen(x: Tensor) -> Tensor:
    """Converts half precision to float32; float32 and float64 stay unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


# Up to this number of input features, products of matrices are slow in some libraries.
MAX_NARROW_FEATURES = 16


class Float32Linear(nn.Linear):
    """A linear layer that computes in float32 even under autocast.

    It is used next to the code: in bfloat16 the value 10.3 of a latent dimension has an error of
    0.05. These layers are small, so float32 costs little.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        with torch.autocast(x.device.type, enabled=False):
            x = widen(x)
            if self.in_features <= MAX_NARROW_FEATURES and x.dim() == 2 and torch.is_grad_enabled():
                # The same product in a layout whose gradients are faster to compute.
                weight = self.weight.t().contiguous()
                return x @ weight if self.bias is None else torch.addmm(self.bias, x, weight)
            return functional.linear(x, self.weight, self.bias)


def autocast(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """The context of a forward pass: matrix products in bfloat16 where `precision` is that."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


@contextmanager
def exact_products() -> Iterator[None]:
    """Context manager that uses oneDNN for float32 matrix products, on CPUs where it is exact.

    torch uses another library, slower on some CPUs, unless a reduced precision is allowed. On a CPU
    without bfloat16 matrix units, oneDNN then still computes in float32 (error 1e-6). The setting
    applies to the process and is restored afterwards.
    """
    if not _onednn_is_exact():
        yield
        return
    products = _onednn().matmul
    before = products.fp32_precision
    products.fp32_precision = "bf16"
    try:
        yield
    finally:
        products.fp32_precision = before


@cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN computes in float32 on this CPU; found by a test product."""
    products = _onednn().matmul
    if not _onednn().is_available():
        return False
    draw = torch.Generator().manual_seed(0)
    a, b = torch.rand(64, 256, generator=draw), torch.rand(256, 64, generator=draw)
    before = products.fp32_precision
    try:
        products.fp32_precision = "bf16"
        found = a @ b
    finally:
        products.fp32_precision = before
    exact = a.double() @ b.double()
    return bool(((found - exact) / exact).abs().max() < 1e-5)


def _onednn() -> Any:
    return torch.backends.mkldnn
