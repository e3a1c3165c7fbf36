"""Where the arithmetic happens and how exact it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from autoencode.errors import RecipeError
from autoencode.train.settings import Device, Precision


def choose_device(wanted: Device) -> torch.device:
    """The device to train on; "auto" is cuda, then mps, then cpu.

    Raises:
        RecipeError: this machine has no such device.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, usable in there.items() if usable))
    if not there[wanted]:
        usable_names = ", ".join(name for name, usable in there.items() if usable)
        raise RecipeError(
            f'Device "{wanted}" cannot be used on this machine', f"It has: {usable_names}."
        )
    return torch.device(wanted)


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """The type of the large matrix products; "auto" is bf16 where the hardware computes in it.

    Weights, codes and likelihoods stay in float32 in either case.
    """
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bf16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        has = torch.cpu.get_capabilities()
        fast = any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32


def computing(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """The context in which a training step computes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


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
    products = torch.backends.mkldnn.matmul
    before = products.fp32_precision
    products.fp32_precision = "bf16"
    try:
        yield
    finally:
        products.fp32_precision = before


@cache
def _onednn_is_exact() -> bool:
    """Whether it keeps float32 here: tried, not looked up."""
    products = torch.backends.mkldnn.matmul
    if not torch.backends.mkldnn.is_available():
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
