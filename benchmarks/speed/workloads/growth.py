"""This package on data of one size, in memory or memory-mapped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # before torch is imported

import numpy as np  # noqa: E402

from autoencode.data import load_data  # noqa: E402
from autoencode.maths import exact_products  # noqa: E402
from autoencode.models.build import build, sizes_for  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import fit  # noqa: E402
from autoencode.train.settings import Settings  # noqa: E402
from autoencode.train.trainer import Trainer  # noqa: E402
from speed.memory import peak_resident, private  # noqa: E402
from speed.workloads.steps import Steps  # noqa: E402

RECIPE, BATCH = "ae", 200
SETTINGS = {"batch_size": BATCH, "device": "cpu", "compile": "off"}
SECONDS_BETWEEN_SAMPLES = 0.002  # of the memory


def trained(source: str, cache: str, memory: str, **length: int) -> dict[str, Any]:
    """Loads data and trains on them.

    length: `steps` or `epochs` of the training.

    Returns seconds to load and to train, steps, and the memory in MB in addition to that of the
    libraries and of a small training: "private" (not backed by files) and "resident" (all).
    """
    fit(RECIPE, np.zeros((64, 8, 8), np.uint8), **{**SETTINGS, "steps": 3}, progress=False)
    os.environ["AUTOENCODE_CACHE"] = cache
    private_before, resident_before = private(), peak_resident()
    with _sampled_memory() as samples:
        start = time.perf_counter()
        data = load_data(source, memory=memory)
        loaded = time.perf_counter()
        result = fit(RECIPE, data, **SETTINGS, **length, progress=False)
        end = time.perf_counter()
    return {
        "load": loaded - start,
        "train": end - loaded,
        "steps": result.summary["steps"],
        "private": (max(samples) - private_before) / 1e6,
        "resident": (peak_resident() - resident_before) / 1e6,
        "data": sum(p.x.numel() * p.x.element_size() for p in _parts(data)) / 1e6,
    }


def training(source: str, cache: str, memory: str, cold: bool = False) -> Steps:
    """The training loop without loading the data.

    cold: first removes the files of the data from the system's file cache.
    """
    os.environ["AUTOENCODE_CACHE"] = cache

    def steps() -> Iterator[None]:
        data, recipe = load_data(source, memory=memory), RECIPES[RECIPE]
        model = build(recipe, sizes_for(recipe, data.shape, n=len(data.train)), seed=0)
        trainer = Trainer(model, recipe, data, Settings.of(recipe, SETTINGS), None, False)
        trainer.state.objective.train()
        if cold:
            _drop_from_file_cache(Path(cache))
        with exact_products():
            while True:
                trainer.update()
                trainer.state.step += 1
                yield

    return Steps(steps())


def _drop_from_file_cache(folder: Path) -> None:
    for path in folder.rglob("*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _parts(data: Any) -> tuple[Any, ...]:
    return data.train, data.validation, data.test


@contextmanager
def _sampled_memory() -> Iterator[list[int]]:
    """Samples of the private memory of this process in bytes, taken in a thread."""
    samples, stop = [private()], threading.Event()

    def sample() -> None:
        while not stop.wait(SECONDS_BETWEEN_SAMPLES):
            samples.append(private())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()
