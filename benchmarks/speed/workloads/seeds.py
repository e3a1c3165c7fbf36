"""Several trainings: one after another with all threads, and in parallel with one thread each."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

from autoencode.data import load_data  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.scale import Job, fit_many  # noqa: E402
from autoencode.train import fit  # noqa: E402


def by_turns(source: str, recipe: str, latent: int, steps: int, seeds: int, rounds: int) -> dict:
    """Seconds of each round: "one after another", "in parallel", "start" (two runs of one step)."""
    data, row = load_data(source), RECIPES[recipe].but(latent=latent)
    seconds: dict[str, list[float]] = {"one after another": [], "in parallel": [], "start": []}

    def jobs(folder: Path, count: int, length: int) -> list[Job]:
        return [Job(row, data, folder / str(s), {"seed": s, "steps": length}) for s in range(count)]

    with tempfile.TemporaryDirectory() as name:
        fit(row, data, out=Path(name) / "warm-up", steps=20, progress=False)
        for turn in range(rounds):
            folder = Path(name) / str(turn)
            start = time.perf_counter()
            for job in jobs(folder / "one", seeds, steps):
                fit(row, data, out=job.out, progress=False, **job.settings)
            seconds["one after another"].append(time.perf_counter() - start)
            for title, count, length in (("in parallel", seeds, steps), ("start", 2, 1)):
                start = time.perf_counter()
                fit_many(jobs(folder / title, count, length), progress=False)
                seconds[title].append(time.perf_counter() - start)
    return seconds
