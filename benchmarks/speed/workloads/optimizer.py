"""The course's network in a plain loop, with AdamW of this package and of torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from speed.workloads.nets import course_net, floats
from speed.workloads.steps import Steps

BATCH = 200


def ours(folder: str, latent: int) -> Steps:
    """With `autoencode.train.optimizer.FusedAdamW`."""
    from autoencode.train.optimizer import FusedAdamW

    net = course_net(latent)
    return _steps(net, FusedAdamW(net.parameters(), lr=1e-3), folder)


def torch_fused(folder: str, latent: int) -> Steps:
    """With `torch.optim.AdamW(fused=True)`."""
    net = course_net(latent)
    return _steps(net, torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True), folder)


def _steps(net: torch.nn.Module, optimizer: object, folder: str) -> Steps:
    def steps() -> Iterator[None]:
        x = floats(folder).flatten(1)
        while True:
            batch = x[torch.randint(len(x), (BATCH,))]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = (net(batch) - batch).square().sum(1).mean()
            loss.backward()
            optimizer.step()  # type: ignore[attr-defined]
            optimizer.zero_grad()  # type: ignore[attr-defined]
            yield

    return Steps(steps())
