"""Trainings on a GPU: ours, compiled and not, and the same network in a plain loop."""

from __future__ import annotations

import time
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as the command does, before torch is loaded

import torch  # noqa: E402

from autoencode.data import load_data, scaled  # noqa: E402
from autoencode.evaluation import reconstruct, squared_error  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import fit  # noqa: E402
from speed.contenders.nets import course_net  # noqa: E402

BATCH = 200


def name() -> str | None:
    """The GPU of this machine."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def trained(source: str, device: str, steps: int, compile: str, latent: int) -> dict[str, Any]:
    """Seconds of a training, compiling included, and its test error."""
    data, row = load_data(source), RECIPES["ae"].but(latent=latent)
    settings = {"device": device, "compile": compile, "validate_every": steps, "progress": False}
    done = fit(row, data, steps=steps, **settings)
    x = data.test.x
    return {
        "compile": compile,
        "steps": steps,
        "seconds": done.summary["seconds"],
        "compiling": done.summary["compiling_seconds"],
        "error": squared_error(x, reconstruct(done.model, x)).mean().item(),
    }


def plain(source: str, device: str, steps: int, latent: int) -> float:
    """Seconds a step of a plain loop over a tensor on the device."""
    x = scaled(load_data(source).train.x).flatten(1).to(device)
    model = course_net(latent).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began = 0.0
    for number in range(steps + 10):
        if number == 10:  # the first steps are slower
            _wait(device)
            began = time.perf_counter()
        chosen = torch.randint(len(x), (BATCH,), device=device)
        batch = x[chosen]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(batch).flatten(1), batch).backward()
        optimizer.step()
    _wait(device)
    return (time.perf_counter() - began) / steps


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
