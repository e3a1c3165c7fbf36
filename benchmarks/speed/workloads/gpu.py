"""Training on a GPU: with this package, compiled and not compiled, and in a plain loop."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

import torch  # noqa: E402

from autoencode.data import load_data, scaled  # noqa: E402
from autoencode.evaluation import evaluate, reconstruct, squared_error  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.scale import Job, fit_many  # noqa: E402
from autoencode.train import fit  # noqa: E402
from speed.workloads.nets import conv_net, course_net  # noqa: E402
from speed.workloads.ours import trainer_of  # noqa: E402

BATCH = 200
# The first steps are slower.
WARM_UP_STEPS = 10


def name() -> str | None:
    """The name of the GPU of this machine; None without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def trained(source: str, device: str, steps: dict[str, int], latent: int) -> list[dict[str, Any]]:
    """Trains `ae`, not compiled and compiled; seconds with and of compiling, and the test error."""
    data, recipe = load_data(source), RECIPES["ae"].but(latent=latent)
    rows = []
    for mode, count in steps.items():
        settings = {"device": device, "compile": mode, "validate_every": count, "progress": False}
        result = fit(recipe, data, steps=count, **settings)
        x = data.test.x
        rows.append(
            {
                "compile": mode,
                "steps": count,
                "seconds": result.summary["seconds"],
                "compiling": result.summary["compiling_seconds"],
                "error": squared_error(x, reconstruct(result.model, x)).mean().item(),
            }
        )
    return rows


def many(
    source: str, device: str, models: int, steps: int, latent: int, mode: str
) -> dict[str, Any]:
    """Trains `ae` with so many seeds; the seconds of all, and those that compiling took."""
    data, recipe = load_data(source), RECIPES["ae"].but(latent=latent)
    settings = {"device": device, "steps": steps, "validate_every": steps, "compile": mode}
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            Job(recipe, data, Path(folder) / str(seed), {**settings, "seed": seed})
            for seed in range(models)
        ]
        start, compiling = time.perf_counter(), 0.0
        for outcome in fit_many(jobs, progress=False):
            if outcome.error is not None:
                raise outcome.error
            assert outcome.run is not None
            compiling += outcome.run.summary["compiling_seconds"]
        seconds = time.perf_counter() - start
    return {"models": models, "steps": steps, "seconds": seconds, "compiling": compiling}


def conv(source: str, device: str, steps: int, modes: Sequence[str]) -> dict[str, float]:
    """Seconds per step of `conv-ae`, without compiling it, not compiled and compiled."""
    found = {}
    for mode in modes:
        # The network of the plain loop: `fit` would choose a larger one for such images.
        trainer = trainer_of(source, "conv-ae", None, device=device, steps=steps, compile=mode)
        trainer.run()
        summary = trainer.summary()
        seconds = summary["seconds"] - summary["compiling_seconds"]
        found[f"conv-ae, --compile {mode}"] = seconds / steps
    return found


def colour(source: str, device: str, steps: int, latents: Sequence[int]) -> list[dict[str, Any]]:
    """Trains `conv-ae` on colour images; its test error and that of PCA."""
    data, rows = load_data(source), []
    settings = {"device": device, "validate_every": max(1, steps // 20), "progress": False}
    for latent in latents:
        result = fit(RECIPES["conv-ae"].but(latent=latent), data, steps=steps, **settings)
        found = evaluate(result.model, data, ["reconstruction", "pca"])
        rows.append(
            {
                "latent": latent,
                "steps": steps,
                "seconds": result.summary["seconds"],
                "error": found["squared_error"],
                "pca": found["squared_error_of_pca"],
            }
        )
    return rows


def plain(source: str, device: str, steps: int, latent: int) -> float:
    """Seconds per step of a plain loop over a tensor on the device."""
    x = scaled(load_data(source).train.x).flatten(1).to(device)
    return _loop(course_net(latent).to(device), x, steps, device)


def plain_conv(
    shape: tuple[int, int, int], device: str, steps: int, modes: Sequence[str]
) -> dict[str, float]:
    """Seconds per step of a plain loop in bfloat16 over noise images, channels last."""
    torch.manual_seed(0)
    x = torch.rand(2_500, *shape).to(device).contiguous(memory_format=torch.channels_last)
    found = {}
    for mode in modes:
        net = conv_net(shape, 2).to(device).to(memory_format=torch.channels_last)
        model = torch.compile(net) if mode == "on" else net
        with torch.autocast(device, torch.bfloat16):
            name = "plain PyTorch, compiled" if mode == "on" else "plain PyTorch"
            found[name] = _loop(net, x, steps, device, model)
    return found


def _loop(
    net: torch.nn.Module,
    x: torch.Tensor,
    steps: int,
    device: str,
    model: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> float:
    """Seconds per step of Adam on the squared error; `model` computes what `net` does."""
    model = model or net
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    start = 0.0
    for number in range(WARM_UP_STEPS + steps):
        if number == WARM_UP_STEPS:
            _synchronize(device)
            start = time.perf_counter()
        batch = x[torch.randint(len(x), (BATCH,), device=device)]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(batch).reshape(batch.shape), batch).backward()
        optimizer.step()
    _synchronize(device)
    return (time.perf_counter() - start) / steps


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
