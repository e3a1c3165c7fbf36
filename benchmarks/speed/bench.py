"""One run of the benchmark: workloads in separate processes that take turns, and their times.

Each workload runs in its own process, in one of three environments, so that the settings of one
workload do not affect another. Only one process computes at a time. The workloads take turns, a
block of steps each, round after round, so that a change of the machine's speed affects all of them.
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

from speed.process import WorkerProcess, WorkloadError

BATCH = 200


@dataclass(frozen=True)
class Workload:
    """What is timed: a function that makes a loop, and the environment in which it runs.

    name: the name of its row in the tables.
    environment: "ours" (a process with the settings of the command `autoencode`), "plain" (the same
        Python without these settings) or "peers" (the Python with the other libraries).
    factory: "module:function" of `speed.workloads`; it is called in the process with `args`.
    images: number of images in one step.
    block: steps in a round, for workloads with long steps; None is the block of the benchmark.
    """

    name: str
    environment: str
    factory: str
    args: Mapping[str, Any] = field(default_factory=dict)
    images: int = BATCH
    block: int | None = None


@dataclass(frozen=True)
class BenchmarkSize:
    """How much is measured.

    rounds: rounds that are measured.   block: steps of each workload in a round.
    quick: measure only as much as is needed to test the benchmark.
    """

    rounds: int
    block: int
    quick: bool = False

    @property
    def training_steps(self) -> int:
        """Steps of the complete training that is timed: compiling depends on its length."""
        return self.choose(15_000, 100)

    def choose(self, full: int, quick: int) -> int:
        """`full`, or `quick` in a quick run."""
        return quick if self.quick else full


@dataclass(frozen=True)
class ImagesOnDisk:
    """A data set on disk.

    source: what `load_data` reads.   folder: the same parts as .npy, for the other libraries.
    shape: of one image.
    """

    source: str
    folder: str
    shape: tuple[int, ...]


class Bench:
    """Makes data sets and times workloads; each section measures with it.

    folder: for files of the benchmark.
    peers: the Python with the other libraries; it need not exist.
    mnist, colour: what `load_data` reads; colour images are only measured on a GPU.
    """

    def __init__(
        self,
        size: BenchmarkSize,
        peers: Path,
        folder: Path,
        mnist: str = "mnist",
        colour: str | None = None,
    ) -> None:
        self.size, self.folder = size, folder
        self._mnist, self.colour = mnist, colour
        self.pythons = {"ours": Path(sys.executable), "plain": Path(sys.executable), "peers": peers}

    def conditions(self) -> dict[str, Any]:
        """Machine, threads, libraries and number of rounds of this run, as JSON."""
        from machine import machine

        environment = {n: os.environ[n] for n in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
        try:
            peers = self.call("peers", "libraries:versions")
        except WorkloadError as error:
            peers = f"none: {error}"
        return {
            "machine": machine(),
            "threads": int(os.environ["OMP_NUM_THREADS"]),
            "environment": environment,
            "peers": peers,
            "rounds": self.size.rounds,
            "block": self.size.block,
            "quick": self.size.quick,
        }

    @cached_property
    def mnist(self) -> ImagesOnDisk:
        """MNIST; in a quick run, noise images of the same shape."""
        return self.noise((28, 28), 3_000) if self.size.quick else self.on_disk(self._mnist)

    def noise(self, shape: tuple[int, ...], n: int) -> ImagesOnDisk:
        """`n` images of uniform noise with a fixed seed."""
        x = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
        file = self.folder / f"{'x'.join(map(str, (n, *shape)))}.npz"
        np.savez(file, x=x, y=np.arange(n) % 10)
        return self.on_disk(str(file))

    def on_disk(self, source: str) -> ImagesOnDisk:
        """Writes the parts of a data source to .npy files."""
        from autoencode.data import load_data

        data = load_data(source)
        folder = self.folder / f"{Path(source).stem}-parts"
        folder.mkdir()
        for name in ("train", "validation", "test"):
            part = getattr(data, name)
            np.save(folder / f"{name}.npy", part.x.numpy())
            np.save(folder / f"{name}-labels.npy", part.y.numpy())
        return ImagesOnDisk(source, str(folder), data.shape)

    def parameters(self, recipe: str, shape: tuple[int, ...], latent: int) -> int:
        """The number of trainable parameters of a recipe."""
        from autoencode.models.build import build, parameter_count, sizes_for
        from autoencode.models.recipes.table import RECIPES

        row = RECIPES[recipe].but(latent=latent)
        return parameter_count(build(row, sizes_for(row, shape, n=1), seed=0))

    def time_in_turns(
        self, workloads: Sequence[Workload], rounds: int | None = None
    ) -> list[dict[str, Any]]:
        """Times workloads that take turns; returns one row for each, in the same order.

        A row has "name", "images" (in a step), "block" and "ms" (milliseconds per step, one value
        for each round), or "name" and "not_measured" (the reason). The first round is a warm-up and
        is not timed; neither is the first step before each block of several steps.
        """
        rows = {each.name: self._row(each) for each in workloads}
        processes: dict[str, WorkerProcess] = {}
        try:
            for turn in range((rounds or self.size.rounds) + 1):
                for each in workloads:
                    row = rows[each.name]
                    if "not_measured" in row:
                        continue
                    try:
                        milliseconds = self._turn(each, row, processes, first=turn == 0)
                        if turn:
                            row["ms"].append(milliseconds)
                    except WorkloadError as error:
                        rows[each.name] = {"name": each.name, "not_measured": str(error)}
        finally:
            for process in processes.values():
                process.end()
        return list(rows.values())

    def _row(self, each: Workload) -> dict[str, Any]:
        block = min(each.block or self.size.block, self.size.block)
        return {"name": each.name, "images": each.images, "block": block, "ms": []}

    def _turn(
        self, each: Workload, row: dict[str, Any], processes: dict[str, WorkerProcess], first: bool
    ) -> float:
        """Times one block; milliseconds per step."""
        # One process for each workload: several trainers in threads of one process would share its
        # cores, and their speed would depend on each other.
        if each.name not in processes:
            processes[each.name] = WorkerProcess(self.pythons[each.environment])
        process = processes[each.name]
        if first:
            process.request("open", key=each.name, factory=each.factory, args=dict(each.args))
        untimed = 1 if row["block"] > 1 else 0
        answer = process.request("run", key=each.name, steps=row["block"], untimed=untimed)
        return float(answer["seconds"] / row["block"] * 1e3)

    def time_startup(self, each: Workload, steps: int) -> dict[str, float]:
        """Times one workload in a new process: start-up and memory.

        Returns seconds from the start of the process to the end of the first and of the third step
        ("first_step", "third_step"; some workloads compile in between), and memory in MB: resident
        after the import of the libraries ("imported"), highest resident memory ("peak"), and memory
        that is not backed by files, after the import ("private_imported") and after `steps` steps
        ("private").

        Raises:
            WorkloadError: the workload cannot run.
        """
        start = time.perf_counter()
        process = WorkerProcess(self.pythons[each.environment])
        try:
            process.request("open", key=each.name, factory=each.factory, args=dict(each.args))
            process.request("run", key=each.name, steps=1, untimed=0)
            first = time.perf_counter() - start
            process.request("run", key=each.name, steps=2, untimed=0)
            third = time.perf_counter() - start
            process.request("run", key=each.name, steps=steps, untimed=0)
            return {"first_step": first, "third_step": third, **process.request("memory")}
        finally:
            process.end()

    def call(self, environment: str, function: str, **args: Any) -> Any:
        """Calls "module:function" of `speed.workloads` in a new process; returns its result.

        Raises:
            WorkloadError: the function cannot run.
        """
        process = WorkerProcess(self.pythons[environment])
        try:
            return process.request("call", function=function, args=args)["result"]
        finally:
            process.end()
