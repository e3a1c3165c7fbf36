"""The device of a training and the precision of its matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from autoencode.errors import RecipeError
from autoencode.train.settings import Device, Precision


def choose_device(wanted: Device) -> torch.device:
    """The device to train on; "auto" is cuda, then mps, then cpu.

    Raises:
        RecipeError: this machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, usable in available.items() if usable))
    if not available[wanted]:
        usable_names = ", ".join(name for name, usable in available.items() if usable)
        raise RecipeError(
            f'Device "{wanted}" cannot be used on this machine', f"It has: {usable_names}."
        )
    return torch.device(wanted)


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """The type of the large matrix products; "auto" is bf16 where the hardware supports it.

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


def keep_random_state(device: torch.device) -> AbstractContextManager[None]:
    """A context after which the random states of the CPU and of this device are as before."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
