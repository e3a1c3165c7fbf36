"""How exact the arithmetic is: codes and likelihoods are computed in float32 or better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def widen(x: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 pass through."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


# Features of a code for which a matrix library's products of thin matrices are slow.
NARROW = 16


class Float32Linear(nn.Linear):
    """A linear layer that autocast leaves in float32.

    A code is a few numbers and each counts: in bfloat16 the position 10.3 on a code plane is off
    by 0.05. Next to an image these layers are narrow, so that exactness costs nothing.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        with torch.autocast(x.device.type, enabled=False):
            x = widen(x)
            if self.in_features <= NARROW and x.dim() == 2 and torch.is_grad_enabled():
                # The same product, laid out so that its gradients are quick: they take half of the
                # time of the large layers beside it otherwise.
                turned = self.weight.t().contiguous()
                return x @ turned if self.bias is None else torch.addmm(self.bias, x, turned)
            return functional.linear(x, self.weight, self.bias)


@contextmanager
def exact_products() -> Iterator[None]:
    """Lets oneDNN make the products of float32 matrices, on processors where it is exact there.

    torch leaves them to another library, which is slower on some processors, unless less than
    float32 is allowed; what oneDNN does with that leave is float32 still, to 1e-6, where the
    processor has no matrix unit for bfloat16. The setting is torch's, for the whole process, and
    is put back.
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
    """Whether it keeps float32 here: tried, not looked up."""
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
