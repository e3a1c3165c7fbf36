"""Many models: eight seeds in parallel, compared with one after another."""

from __future__ import annotations

from statistics import median
from typing import Any

from speed.bench import Bench
from speed.figures import Target, at_least

RECIPE, LATENT = "ae", 2
ROWS = {
    "one after another": "one after another, all threads: `fit`",
    "in parallel": "in parallel, one thread each: `fit_many`",
    "start": "start of the processes, included above: two runs of one step",
}


def measure(bench: Bench) -> dict[str, Any]:
    args = {
        "source": bench.mnist.source,
        "recipe": RECIPE,
        "latent": LATENT,
        "steps": bench.size.choose(1_000, 4),
        "seeds": bench.size.choose(8, 2),
        "rounds": bench.size.choose(2, 1),
    }
    return {**args, "seconds": bench.call("ours", "seeds:by_turns", **args)}


def page(record: dict[str, Any]) -> str:
    steps = record["steps"]
    lines = [
        "## Many models in parallel",
        "",
        f"{record['seeds']} seeds of `{record['recipe']}`, {record['latent']} latent dimensions, "
        f"{steps:,} steps each, with run folders, checkpoints and validation; in turns, "
        f"{record['rounds']} rounds. The ratio is one of medians, without the start.",
        "",
        "| | s, median | min to max | runs per minute |",
        "|---|---:|---:|---:|",
    ]
    for name, words in ROWS.items():
        seconds = record["seconds"][name]
        per_minute = "" if name == "start" else f"{60 * record['seeds'] / median(seconds):.1f}"
        lines.append(
            f"| {words} | {median(seconds):.1f} | {min(seconds):.1f} to {max(seconds):.1f} "
            f"| {per_minute} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"In parallel is {ratio(record):.2f} times as fast, and "
            f"{ratio(record, start=True):.2f} times including the start.",
            "",
        ]
    )


def ratio(record: dict[str, Any], start: bool = False) -> float:
    """The speed in parallel, relative to one after another.   start: include the start."""
    times = {name: median(seconds) for name, seconds in record["seconds"].items()}
    in_parallel = times["in parallel"] - (0 if start else times["start"])
    return times["one after another"] / in_parallel


def targets(record: dict[str, Any]) -> list[Target]:
    what = f"Speed of {record['seeds']} seeds of `ae` in parallel, relative to one after another"
    return [at_least(5, what, ratio(record), 1.6)]
