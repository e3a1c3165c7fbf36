"""Trainings on a GPU: ours, one and many at once, and the same network in a plain loop."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as the command does, before torch is loaded

import torch  # noqa: E402

from autoencode.data import load_data, scaled  # noqa: E402
from autoencode.evaluation import reconstruct, squared_error  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import Job, fit_many  # noqa: E402
from speed.contenders.nets import course_net  # noqa: E402

BATCH = 200
# Once, as how often it is looked at is not what is measured.
SELDOM = 10**9


def name() -> str | None:
    """The GPU of this machine."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def trained(source: str, device: str, steps: int, models: int, latent: int) -> dict[str, Any]:
    """Seconds of so many trainings in lockstep, compiling and recording included, and errors."""
    data, row = load_data(source), RECIPES["ae"].but(latent=latent)
    given = {"steps": steps, "device": device, "checkpoint_every": SELDOM, "validate_every": SELDOM}
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            Job(row, data, Path(folder) / str(seed), {**given, "seed": seed})
            for seed in range(models)
        ]
        done = fit_many(jobs, stacked=True, finish=_error, progress=False)
    runs = [outcome.run for outcome in done if outcome.run is not None]
    return {
        "models": models,
        "steps": steps,
        "seconds": max(run.summary["seconds"] for run in runs),
        "compiling": max(run.summary["compiling_seconds"] for run in runs),
        "errors": [outcome.found for outcome in done],
    }


def _error(fitted: Any) -> float:
    x = fitted.data.test.x
    return squared_error(x, reconstruct(fitted.model, x)).mean().item()


def plain(source: str, device: str, steps: int, latent: int) -> float:
    """Seconds a step of a plain loop over a tensor on the device."""
    x = scaled(load_data(source).train.x).flatten(1).to(device)
    model = course_net(latent).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began = 0.0
    for number in range(steps + 10):
        if number == 10:  # what comes first is set up
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
