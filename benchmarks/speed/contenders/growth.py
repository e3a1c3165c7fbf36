"""This program on data of one size, in memory or mapped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # before torch is loaded

import numpy as np  # noqa: E402

from autoencode.data import load_data  # noqa: E402
from autoencode.maths import exact_products  # noqa: E402
from autoencode.models.build import build, sizes_for  # noqa: E402
from autoencode.models.recipes.table import RECIPES  # noqa: E402
from autoencode.train import fit  # noqa: E402
from autoencode.train.settings import Settings  # noqa: E402
from autoencode.train.trainer import Trainer  # noqa: E402
from speed.contenders.steps import Steps  # noqa: E402
from speed.memory import own, resident  # noqa: E402

ROW, BATCH = "ae", 200
PLAINLY = {"batch_size": BATCH, "device": "cpu", "compile": "off"}
EVERY = 0.002  # seconds between two looks at the memory


def trained(source: str, cache: str, memory: str, **length: int) -> dict[str, Any]:
    """Loads data and trains on them for so many `steps` or `epochs`.

    Gives seconds of both, steps, and MB above what the libraries and a first small training take:
    "own", which the system can take back from nobody else, and "resident", pages of files included.
    """
    fit(ROW, np.zeros((64, 8, 8), np.uint8), **{**PLAINLY, "steps": 3}, progress=False)
    os.environ["AUTOENCODE_CACHE"] = cache
    before, resident_before = own(), resident()
    with _watched() as seen:
        began = time.perf_counter()
        data = load_data(source, memory=memory)
        loaded = time.perf_counter()
        done = fit(ROW, data, **PLAINLY, **length, progress=False)
        ended = time.perf_counter()
    return {
        "load": loaded - began,
        "train": ended - loaded,
        "steps": done.summary["steps"],
        "own": (max(seen) - before) / 1e6,
        "resident": (resident() - resident_before) / 1e6,
        "data": sum(p.x.numel() * p.x.element_size() for p in _parts(data)) / 1e6,
    }


def training(source: str, cache: str, memory: str, cold: bool = False) -> Steps:
    """The training loop alone.

    cold: on a disk: before it, the system forgets what it holds of the files in the cache.
    """
    os.environ["AUTOENCODE_CACHE"] = cache

    def steps() -> Iterator[None]:
        data, row = load_data(source, memory=memory), RECIPES[ROW]
        model = build(row, sizes_for(row, data.shape, n=len(data.train)), seed=0)
        trainer = Trainer(model, row, data, Settings.of(row, PLAINLY), None, False)
        trainer.state.objective.train()
        if cold:
            _forget(Path(cache))
        with exact_products():
            while True:
                trainer.update()
                trainer.state.step += 1
                yield

    return Steps(steps())


def _forget(folder: Path) -> None:
    for path in folder.rglob("*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _parts(data: Any) -> tuple[Any, ...]:
    return data.train, data.validation, data.test


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Bytes of this process's own memory, looked at again and again."""
    seen, over = [own()], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            seen.append(own())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
