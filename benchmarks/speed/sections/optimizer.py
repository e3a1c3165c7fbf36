"""AdamW of this package and of torch: time of a step, time to the first step, memory."""

from __future__ import annotations

from statistics import median
from typing import Any

from speed.bench import Bench, Workload
from speed.figures import Target, table

OURS, TORCH = "FusedAdamW of autoencode", "torch.optim.AdamW(fused=True)"
LATENT = 2
STARTUP = ("first_step", "private")


def measure(bench: Bench) -> dict[str, Any]:
    args = {"folder": bench.mnist.folder, "latent": LATENT}
    both = [
        Workload(TORCH, "plain", "optimizer:torch_fused", args),
        Workload(OURS, "plain", "optimizer:ours", args),
    ]
    repeats, steps = min(3, bench.size.rounds), bench.size.choose(100, 2)
    startup = {}
    for each in both:
        runs = [bench.time_startup(each, steps) for _ in range(repeats)]
        startup[each.name] = {key: [run[key] for run in runs] for key in STARTUP}
    return {"rows": bench.time_in_turns(both), "startup": startup, "repeats": repeats}


def page(record: dict[str, Any]) -> str:
    lines = [
        "## The optimiser",
        "",
        f"The same plain loop over the network 784-512-{LATENT}-512-784, in bf16 autocast, with "
        "two optimisers that give the same weights bit for bit:",
        "",
        table(record["rows"], OURS),
        "",
        "Seconds from the start of a process to the end of its first step, and memory of the "
        f"process that is not backed by files, after some steps; median of {record['repeats']}:",
        "",
        "| | s to the first step | MB |",
        "|---|---:|---:|",
    ]
    for name, each in record["startup"].items():
        lines.append(
            f"| {name} | {median(each['first_step']):.2f} | {median(each['private']):.0f} |"
        )
    return "\n".join([*lines, ""])


def targets(record: dict[str, Any]) -> list[Target]:
    return []
