"""What large collections cost: the scheduler's work, and the parts of encoding an image.

    .venv/bin/python benchmarks/scale.py [--tasks 1000 10000 100000] [--images 20000]

Starts a Dask scheduler and two workers as processes of their own and gives them tasks that do
nothing, submitted as `embed --cluster` submits parts, all at once. Prints, for each number of
tasks, the seconds until all are done, and the processor time and the memory of the scheduler and
of the client.

Then measures, on one thread, what reading, decoding, encoding and writing one image takes: JPEG
files of 32×32 and of 256×256 pixels in colour, and an untrained `conv-ae`. From these it computes
what 10⁹ images cost and which part binds with 10, 100 and 1,000 workers.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import psutil
from PIL import Image

from machine import machine

IMAGES, PART = 10**9, 10_000
WORKERS = (10, 100, 1_000)
# What the table assumes: one storage that all workers read and write, on a network of this speed.
STORAGE_GBIT = 25.0
LATENT = 32


def nothing(number: int) -> int:
    """A task."""
    return number


def scheduler_load(tasks: int) -> dict[str, float]:
    """Gives so many tasks to a scheduler and two workers; seconds and MB."""
    from distributed import Client, wait

    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = Path(folder) / "scheduler.json"
            environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": folder}
            quiet: dict[str, Any] = {"cwd": folder, "env": environment}
            quiet |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            dask = [sys.executable, "-m", "dask"]
            alone = ["--no-dashboard", "--scheduler-file", str(file)]
            words = ["scheduler", "--host", "127.0.0.1", "--port", "0", *alone]
            processes.append(subprocess.Popen([*dask, *words], **quiet))
            for _ in range(2):
                words = ["worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *alone]
                processes.append(subprocess.Popen([*dask, *words], **quiet))
            with Client(scheduler_file=str(file), timeout=60) as client:
                client.wait_for_workers(2)
                seen, own = psutil.Process(processes[0].pid), psutil.Process()
                before, own_before = _cpu(seen), _cpu(own)
                memory, own_memory = seen.memory_info().rss, own.memory_info().rss
                began = time.perf_counter()
                futures = [client.submit(nothing, i, pure=False) for i in range(tasks)]
                wait(futures)
                found = {
                    "seconds": time.perf_counter() - began,
                    "scheduler": _cpu(seen) - before,
                    "client": _cpu(own) - own_before,
                    "scheduler_mb": (seen.memory_info().rss - memory) / 2**20,
                    "client_mb": (own.memory_info().rss - own_memory) / 2**20,
                }
                client.shutdown()
                return found
        finally:
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True)
class Costs:
    """One image: bytes of its file and of its row, and seconds on one core."""

    side: int
    file_bytes: float
    row_bytes: float
    read: float
    decode: float
    encode: float
    write: float

    @property
    def seconds(self) -> float:
        """On one core, all together."""
        return self.read + self.decode + self.encode + self.write


def costs(side: int, images: int) -> Costs:
    """Measures one image of side × side pixels in colour."""
    import pyarrow
    import torch
    from pyarrow import parquet

    from autoencode.models.build import build, sizes_for
    from autoencode.models.recipes.table import RECIPES

    torch.set_num_threads(1)
    shape = (3, side, side)
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i:06d}.jpg" for i in range(images)]
        for path in paths:
            _photo(side, draw).save(path, quality=85)
        found, read = _timed(lambda: [path.read_bytes() for path in paths])
        x, decode = _timed(lambda: np.stack([_decoded(each) for each in found]))
        recipe = RECIPES["conv-ae"].but(latent=LATENT)
        model = build(recipe, sizes_for(recipe, shape, n=images), seed=0).eval()
        batches = torch.from_numpy(x).permute(0, 3, 1, 2).split(250)

        def encoded() -> np.ndarray:
            with torch.no_grad():
                return torch.cat([model.encoder(each.float() / 255) for each in batches]).numpy()

        encoded()  # the first batch is slower
        z, encode = _timed(encoded)
        table = pyarrow.table(
            {"name": [path.name for path in paths], **{f"z{i}": z[:, i] for i in range(LATENT)}}
        )
        out = Path(folder) / "part.parquet"
        _, write = _timed(lambda: parquet.write_table(table, out))
        sizes = sum(len(each) for each in found), out.stat().st_size
    each = [seconds / images for seconds in (read, decode, encode, write)]
    return Costs(side, sizes[0] / images, sizes[1] / images, *each)


def _photo(side: int, draw: np.random.Generator) -> Image.Image:
    """An image with large and small structure, as photographs have it."""
    coarse = draw.integers(0, 256, (6, 6, 3), np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    noise = draw.normal(0, 8, (side, side, 3))
    return Image.fromarray((large + noise).clip(0, 255).astype(np.uint8))


def _decoded(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began


def binding(each: Costs, workers: int, per_task: float) -> tuple[float, str]:
    """Hours for `IMAGES` images, and what binds: the largest of what runs at the same time."""
    bytes_moved = IMAGES * (each.file_bytes + each.row_bytes)
    hours = {
        "workers": IMAGES * each.seconds / workers / 3600,
        "storage": bytes_moved * 8 / (STORAGE_GBIT * 1e9) / 3600,
        "scheduler": IMAGES / PART * per_task / 3600,
    }
    name = max(hours, key=hours.__getitem__)
    return hours[name], name


def main() -> None:
    parser = argparse.ArgumentParser(description="What large collections cost.")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--images", type=int, default=20_000, help="of 32×32; a tenth of 256×256")
    given = parser.parse_args()
    print(machine(), "\n")
    print(
        "| tasks | seconds | tasks/s | scheduler, CPU s | client, CPU s | scheduler, MB "
        "| client, MB |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    per_task = 0.0
    for tasks in given.tasks:
        load = scheduler_load(tasks)
        per_task = load["scheduler"] / tasks
        print(
            f"| {tasks:,} | {load['seconds']:.1f} | {tasks / load['seconds']:,.0f} "
            f"| {load['scheduler']:.1f} | {load['client']:.1f} | {load['scheduler_mb']:.0f} "
            f"| {load['client_mb']:.0f} |",
            flush=True,
        )
    print("\n| image | file, bytes | row, bytes | read, µs | decode, µs | encode, µs | write, µs |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    measured = [costs(32, given.images), costs(256, max(1, given.images // 10))]
    for each in measured:
        print(
            f"| {each.side}×{each.side} | {each.file_bytes:,.0f} | {each.row_bytes:,.0f} "
            f"| {1e6 * each.read:.0f} | {1e6 * each.decode:.0f} | {1e6 * each.encode:.0f} "
            f"| {1e6 * each.write:.1f} |"
        )
    print(f"\n10⁹ images in parts of {PART:,}, storage at {STORAGE_GBIT:g} Gbit/s:\n")
    print(
        "| image | core hours | read, TB | written, TB | "
        + " | ".join(f"{workers:,} workers" for workers in WORKERS)
        + " |"
    )
    print("|---|---:|---:|---:|" + "---:|" * len(WORKERS))
    for each in measured:
        times = [binding(each, workers, per_task) for workers in WORKERS]
        cells = " | ".join(f"{hours:,.1f} h ({name})" for hours, name in times)
        print(
            f"| {each.side}×{each.side} | {IMAGES * each.seconds / 3600:,.0f} "
            f"| {IMAGES * each.file_bytes / 1e12:.1f} | {IMAGES * each.row_bytes / 1e12:.2f} "
            f"| {cells} |"
        )


if __name__ == "__main__":
    main()
