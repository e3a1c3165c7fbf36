"""From the command to the first step, and the memory of a short training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from speed.bench import Bench
from speed.figures import Claim
from speed.process import Failed
from speed.sections import training

COMMAND = "the whole command: autoencode train ae --data mnist"
LATENT = 2
KEPT = ("first_step", "third_step", "imported", "peak", "own_imported", "own")


def measure(bench: Bench) -> dict[str, Any]:
    steps, repeats = bench.pace.of(100, 2), min(3, bench.pace.rounds)
    rows = {}
    timed = [each for each in training.contenders(bench, LATENT) if "floor:" not in each.make]
    left_out = (training.PREPARED, training.FLOAT32, training.FLOAT32_PLAIN)
    timed = [each for each in timed if each.name not in left_out]
    for each in timed:
        try:
            found = [bench.alone(each, steps) for _ in range(repeats)]
            rows[each.name] = {key: [one[key] for one in found] for key in KEPT}
        except Failed as failure:
            rows[each.name] = {"not_measured": str(failure)}
    found = [_command(bench, turn, steps) for turn in range(repeats)]
    rows[COMMAND] = {key: [one[key] for one in found] for key in ("first_step", "peak")}
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
    words = [sys.executable, "-m", "autoencode", "train", "ae", "--data", bench.mnist.source]
    out = bench.folder / f"run-{turn}"
    began = time.perf_counter()
    first = _started([*words, "--steps", "1", "--no-report", "--out", f"{out}-1"])
    log = Path(f"{out}-1") / "log.jsonl"
    while first.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.002)
    took = time.perf_counter() - began
    first.wait()
    whole = _started([*words, "--steps", str(steps), "--no-report", "--out", f"{out}-n"])
    _, _, used = os.wait4(whole.pid, 0)
    whole.returncode = 0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"first_step": took, "peak": used.ru_maxrss / unit}


def _started(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def page(record: dict[str, Any]) -> str:
    need = record["megabytes"]
    lines = [
        "## Start-up and memory",
        "",
        "Each in a process of its own: seconds from its start to the end of its first step, the "
        "libraries' import and the reading of the data included; and the most memory that was "
        f"resident, after the import and in {record['steps']} steps. Median of "
        f"{record['repeats']}, min to max. MNIST itself is {need['data']:.0f} MB as bytes, the "
        f"model with its gradients and Adam's moments {need['model']:.0f} MB.",
        "",
        "| | s to the first step | to the third | MB after the import | MB at most |",
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
    own = median(ours["own"]) - median(ours["own_imported"])
    whole = need["data"] + need["model"]
    lines += [
        "",
        f"Above its imports, ours, not compiled, takes {above:.0f} MB, {above / whole:.2f} times "
        "the data and the model; without the libraries' own pages, which lie in files and come in "
        f"when they are used first, {own:.0f} MB, {own / whole:.2f} times.",
        "",
    ]
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def claims(record: dict[str, Any]) -> list[Claim]:
    return []
