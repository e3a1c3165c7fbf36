"""Random numbers under a seed, without a change of torch's random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Context manager that seeds the CPU and `device`, and restores both random states."""
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would reach every device of the machine.
        torch.default_generator.manual_seed(seed)
        if device.type == "cpu":
            yield
            return
        with torch.accelerator.device_index(device.index):
            accelerator = torch.get_device_module(device)
            state = accelerator.get_rng_state()
            accelerator.manual_seed(seed)
            try:
                yield
            finally:
                accelerator.set_rng_state(state)
