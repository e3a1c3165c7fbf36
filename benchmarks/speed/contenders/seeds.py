"""Eight trainings: one after another with all threads, and beside each other with one each."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from autoencode.cli.process import prepare

prepare()  # as the command does, before torch is loaded

from autoencode.data import load_data  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import Job, fit, fit_many  # noqa: E402


def by_turns(source: str, recipe: str, latent: int, steps: int, seeds: int, rounds: int) -> dict:
    """Seconds of each round: "one by one", "side by side", and "start", of two runs of one step."""
    data, row = load_data(source), RECIPES[recipe].but(latent=latent)
    found: dict[str, list[float]] = {"one by one": [], "side by side": [], "start": []}

    def jobs(folder: Path, count: int, length: int) -> list[Job]:
        return [Job(row, data, folder / str(s), {"seed": s, "steps": length}) for s in range(count)]

    with tempfile.TemporaryDirectory() as name:
        fit(row, data, out=Path(name) / "warm", steps=20, progress=False)
        for turn in range(rounds):
            folder = Path(name) / str(turn)
            began = time.perf_counter()
            for job in jobs(folder / "one", seeds, steps):
                fit(row, data, out=job.out, progress=False, **job.settings)
            found["one by one"].append(time.perf_counter() - began)
            for title, count, length in (("side by side", seeds, steps), ("start", 2, 1)):
                began = time.perf_counter()
                fit_many(jobs(folder / title, count, length), progress=False)
                found[title].append(time.perf_counter() - began)
    return found
