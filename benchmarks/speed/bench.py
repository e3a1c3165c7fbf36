"""One run: processes that take turns, and the figures that they give.

Each contender lives in a process of its own, of one of three kinds ("places"), so that none
profits or suffers from what another arranges for itself. All blocks of all contenders take turns,
round after round, so that a machine that speeds up or slows down does so for all; only one process
computes at a time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from speed.process import Failed, Process

BATCH = 200


@dataclass(frozen=True)
class Candidate:
    """One that is timed.

    place: "ours" (the process is set up as `autoencode` sets up its own), "plain" (the same
        Python, nothing set up) or "peers" (the Python that has the other libraries).
    make: "module:function" of `speed.contenders`; it is called there with `args`.
    images: images in one step.
    block: steps in a round, where one step takes long; None is the bench's own block.
    """

    name: str
    place: str
    make: str
    args: Mapping[str, Any] = field(default_factory=dict)
    images: int = BATCH
    block: int | None = None


@dataclass(frozen=True)
class Pace:
    """How much is measured.   quick: as little as shows that it works."""

    rounds: int
    block: int
    quick: bool = False

    @property
    def training(self) -> int:
        """Steps of the training that ours are part of: whether one is compiled depends on it."""
        return self.of(15_000, 100)

    def of(self, full: int, tiny: int) -> int:
        """A number of the full run, or that of the quick one."""
        return tiny if self.quick else full


@dataclass(frozen=True)
class Images:
    """A data set on disk: what `load_data` takes, and its parts as .npy for everyone else."""

    source: str
    folder: str
    shape: tuple[int, ...]


class Bench:
    """What a section measures with.

    folder: where it may write.   peers: the Python of the other libraries; it may be missing.
    """

    def __init__(self, pace: Pace, peers: Path, folder: Path) -> None:
        self.pace, self.folder = pace, folder
        self.pythons = {"ours": Path(sys.executable), "plain": Path(sys.executable), "peers": peers}

    def about(self) -> dict[str, Any]:
        """What the figures were measured with."""
        from machine import machine

        waiting = {n: os.environ[n] for n in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        try:
            peers = self.call("peers", "libraries:versions")
        except Failed as failure:
            peers = f"none: {failure}"
        return {
            "machine": machine(),
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "environment": waiting,
            "peers": peers,
            "rounds": self.pace.rounds,
            "block": self.pace.block,
            "quick": self.pace.quick,
        }

    @cached_property
    def mnist(self) -> Images:
        """MNIST; in a quick run, made images of its size."""
        return self.made((28, 28), 3_000) if self.pace.quick else self.images("mnist")

    def made(self, shape: tuple[int, ...], n: int) -> Images:
        """`n` images of uniform noise, from a seed."""
        x = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
        file = self.folder / f"{'x'.join(map(str, (n, *shape)))}.npz"
        np.savez(file, x=x, y=np.arange(n) % 10)
        return self.images(str(file))

    def images(self, source: str) -> Images:
        """A source that `load_data` knows."""
        from autoencode.data import load_data

        data = load_data(source)
        folder = self.folder / f"{Path(source).stem}-parts"
        folder.mkdir()
        for name in ("train", "validation", "test"):
            part = getattr(data, name)
            np.save(folder / f"{name}.npy", part.x.numpy())
            np.save(folder / f"{name}-labels.npy", part.y.numpy())
        return Images(source, str(folder), data.shape)

    def parameters(self, recipe: str, shape: tuple[int, ...], latent: int) -> int:
        """How many numbers training can change in a model of ours."""
        from autoencode.models.build import build, parameter_count, sizes_for
        from autoencode.models.recipes.table import RECIPES

        row = RECIPES[recipe].but(latent=latent)
        return parameter_count(build(row, sizes_for(row, shape, n=1), seed=0))

    def race(self, contenders: Sequence[Candidate], rounds: int | None = None) -> list[dict]:
        """Times contenders against each other: a row each, in their order.

        A row holds "name", "images" (in a step), "block" and "ms" (milliseconds a step, a number
        for each round), or "name" and "not_measured", which says why. The first round only warms
        up, and so does one step before each block of several.
        """
        rows = {each.name: self._row(each) for each in contenders}
        processes: dict[str, Process] = {}
        try:
            for turn in range((rounds or self.pace.rounds) + 1):
                for each in contenders:
                    row = rows[each.name]
                    if "not_measured" in row:
                        continue
                    try:
                        took = self._turn(each, row, processes, first=turn == 0)
                        if turn:
                            row["ms"].append(took)
                    except Failed as failure:
                        rows[each.name] = {"name": each.name, "not_measured": str(failure)}
        finally:
            for process in processes.values():
                process.end()
        return list(rows.values())

    def _row(self, each: Candidate) -> dict[str, Any]:
        block = min(each.block or self.pace.block, self.pace.block)
        return {"name": each.name, "images": each.images, "block": block, "ms": []}

    def _turn(
        self, each: Candidate, row: dict[str, Any], processes: dict[str, Process], first: bool
    ) -> float:
        """Milliseconds a step of one block."""
        # Trainings that own their loop would otherwise wait in threads of one process, and what
        # one thread's share of the processors is would depend on the others.
        if each.name not in processes:
            processes[each.name] = Process(self.pythons[each.place])
        process = processes[each.name]
        if first:
            process.ask("open", key=each.name, make=each.make, args=dict(each.args))
        lead = 1 if row["block"] > 1 else 0
        took = process.ask("run", key=each.name, steps=row["block"], lead=lead)
        return took["seconds"] / row["block"] * 1e3

    def alone(self, each: Candidate, steps: int) -> dict[str, float]:
        """One contender in a fresh process: seconds from its start to its first step, and memory.

        Gives "first_step" and "third_step" (seconds; some compile in between), "imported" and
        "peak" (MB resident, with the libraries alone and at most in so many steps), and
        "own_imported" and "own" (the same without what lies in files, at the end of the steps).

        Raises:
            Failed: it cannot be run.
        """
        began = time.perf_counter()
        process = Process(self.pythons[each.place])
        try:
            process.ask("open", key=each.name, make=each.make, args=dict(each.args))
            process.ask("run", key=each.name, steps=1, lead=0)
            first = time.perf_counter() - began
            process.ask("run", key=each.name, steps=2, lead=0)
            third = time.perf_counter() - began
            process.ask("run", key=each.name, steps=steps, lead=0)
            return {"first_step": first, "third_step": third, **process.ask("memory")}
        finally:
            process.end()

    def call(self, place: str, what: str, **args: Any) -> Any:
        """What a function of `speed.contenders` returns in a fresh process of a place.

        Raises:
            Failed: it cannot be run.
        """
        process = Process(self.pythons[place])
        try:
            return process.ask("call", what=what, args=args)["result"]
        finally:
            process.end()
