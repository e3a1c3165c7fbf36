"""Training on a GPU: with this package, compiled and not compiled, and in a plain loop."""

from __future__ import annotations

import time
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

import torch  # noqa: E402

from autoencode.data import load_data, scaled  # noqa: E402
from autoencode.evaluation import reconstruct, squared_error  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import fit  # noqa: E402
from speed.workloads.nets import course_net  # noqa: E402

BATCH = 200
# The first steps are slower.
WARM_UP_STEPS = 10


def name() -> str | None:
    """The name of the GPU of this machine; None without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def trained(source: str, device: str, steps: int, compile: str, latent: int) -> dict[str, Any]:
    """Trains `ae`; seconds with and of compiling, and the test error."""
    data, recipe = load_data(source), RECIPES["ae"].but(latent=latent)
    settings = {"device": device, "compile": compile, "validate_every": steps, "progress": False}
    result = fit(recipe, data, steps=steps, **settings)
    x = data.test.x
    return {
        "compile": compile,
        "steps": steps,
        "seconds": result.summary["seconds"],
        "compiling": result.summary["compiling_seconds"],
        "error": squared_error(x, reconstruct(result.model, x)).mean().item(),
    }


def plain(source: str, device: str, steps: int, latent: int) -> float:
    """Seconds per step of a plain loop over a tensor on the device."""
    x = scaled(load_data(source).train.x).flatten(1).to(device)
    model = course_net(latent).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = 0.0
    for number in range(WARM_UP_STEPS + steps):
        if number == WARM_UP_STEPS:
            _synchronize(device)
            start = time.perf_counter()
        batch = x[torch.randint(len(x), (BATCH,), device=device)]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(batch).flatten(1), batch).backward()
        optimizer.step()
    _synchronize(device)
    return (time.perf_counter() - start) / steps


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
