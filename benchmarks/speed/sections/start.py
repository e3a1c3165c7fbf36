"""Time from the start of a process to its first step, and memory of a short training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from speed.bench import Bench
from speed.figures import Target
from speed.process import WorkloadError
from speed.sections import training

COMMAND = "complete command: autoencode train ae --data mnist"
LATENT = 2
KEYS = ("first_step", "third_step", "imported", "peak", "private_imported", "private")


def measure(bench: Bench) -> dict[str, Any]:
    steps, repeats = bench.size.choose(100, 2), min(3, bench.size.rounds)
    rows = {}
    left_out = (training.PREPARED, training.FLOAT32, training.FLOAT32_PLAIN)
    for each in training.workloads(bench, LATENT):
        if each.name in left_out or each.factory.startswith("lower_bounds:"):
            continue
        try:
            runs = [bench.time_startup(each, steps) for _ in range(repeats)]
            rows[each.name] = {key: [run[key] for run in runs] for key in KEYS}
        except WorkloadError as error:
            rows[each.name] = {"not_measured": str(error)}
    runs = [_command(bench, turn, steps) for turn in range(repeats)]
    rows[COMMAND] = {key: [run[key] for run in runs] for key in ("first_step", "peak")}
    megabytes = {
        "data": _megabytes(Path(bench.mnist.folder)),
        # Weights, gradients and Adam's two moments, float32.
        "model": 4 * 4 * bench.parameters("ae", bench.mnist.shape, LATENT) / 2**20,
    }
    return {"rows": rows, "megabytes": megabytes, "steps": steps, "repeats": repeats}


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("*.npy")) / 2**20


def _command(bench: Bench, turn: int, steps: int) -> dict[str, float]:
    """Seconds from the command to the first line of its log, and the memory of a training."""
    command = [sys.executable, "-m", "autoencode", "train", "ae", "--data", bench.mnist.source]
    out = bench.folder / f"run-{turn}"
    start = time.perf_counter()
    first = _started([*command, "--steps", "1", "--no-report", "--out", f"{out}-1"])
    log = Path(f"{out}-1") / "log.jsonl"
    while first.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.002)
    seconds = time.perf_counter() - start
    first.wait()
    training = _started([*command, "--steps", str(steps), "--no-report", "--out", f"{out}-n"])
    _, _, used = os.wait4(training.pid, 0)
    training.returncode = 0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"first_step": seconds, "peak": used.ru_maxrss / unit}


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def page(record: dict[str, Any]) -> str:
    need = record["megabytes"]
    lines = [
        "## Start-up and memory",
        "",
        "Seconds from the start of a process to the end of its first step, including the import of "
        "the libraries and reading the data; and the highest resident memory, after the import and "
        f"in {record['steps']} steps. Median of {record['repeats']} (min to max). MNIST takes "
        f"{need['data']:.0f} MB as bytes; the model with its gradients and Adam's moments takes "
        f"{need['model']:.0f} MB.",
        "",
        "| | s to the first step | s to the third | MB after the import | MB, highest |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, each in record["rows"].items():
        if "not_measured" in each:
            lines.append(f"| {name} | not measured: {each['not_measured']} | | | |")
            continue
        third = _spread(each["third_step"]) if "third_step" in each else ""
        imported = f"{median(each['imported']):.0f}" if "imported" in each else ""
        lines.append(
            f"| {name} | {_spread(each['first_step'])} "
            f"| {third} | {imported} | {median(each['peak']):.0f} |"
        )
    ours = record["rows"][training.BF16_PLAIN]
    above = median(ours["peak"]) - median(ours["imported"])
    private = median(ours["private"]) - median(ours["private_imported"])
    minimum = need["data"] + need["model"]
    lines += [
        "",
        f"After its imports, this package, not compiled, takes {above:.0f} MB more, which is "
        f"{above / minimum:.2f} times the data and the model. Without the pages of libraries, "
        f"which are read from files on their first use, it takes {private:.0f} MB more, "
        f"{private / minimum:.2f} times.",
        "",
    ]
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def targets(record: dict[str, Any]) -> list[Target]:
    return []
