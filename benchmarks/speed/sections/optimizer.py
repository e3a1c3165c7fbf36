"""Our AdamW beside torch's: time of a step, time to the first step, memory."""

from __future__ import annotations

from statistics import median
from typing import Any

from speed.bench import Bench, Candidate
from speed.figures import Claim, table

OURS, TORCHS = "FusedAdamW of autoencode", "torch.optim.AdamW(fused=True)"
LATENT = 2
ALONE = ("first_step", "own")


def measure(bench: Bench) -> dict[str, Any]:
    args = {"folder": bench.mnist.folder, "latent": LATENT}
    both = [
        Candidate(TORCHS, "plain", "optimizer:torchs", args),
        Candidate(OURS, "plain", "optimizer:ours", args),
    ]
    repeats, steps = min(3, bench.pace.rounds), bench.pace.of(100, 2)
    alone = {}
    for each in both:
        found = [bench.alone(each, steps) for _ in range(repeats)]
        alone[each.name] = {key: [one[key] for one in found] for key in ALONE}
    return {"rows": bench.race(both), "alone": alone, "repeats": repeats}


def page(record: dict[str, Any]) -> str:
    lines = [
        "## The optimiser",
        "",
        "The same plain loop over the course's net, bf16 autocast, d=2, with two optimisers whose "
        "weights agree bit for bit:",
        "",
        table(record["rows"], OURS),
        "",
        "Each in a process of its own, from its start to the end of the first step, and the "
        f"process's own memory after some steps; median of {record['repeats']}:",
        "",
        "| | s to the first step | MB |",
        "|---|---:|---:|",
    ]
    for name, each in record["alone"].items():
        lines.append(f"| {name} | {median(each['first_step']):.2f} | {median(each['own']):.0f} |")
    return "\n".join([*lines, ""])


def claims(record: dict[str, Any]) -> list[Claim]:
    return []
