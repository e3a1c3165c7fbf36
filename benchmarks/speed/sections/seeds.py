"""Many models at once: eight seeds side by side against one after another."""

from __future__ import annotations

from statistics import median
from typing import Any

from speed.bench import Bench
from speed.figures import Claim, at_least

RECIPE, LATENT = "ae", 2
ROWS = {
    "one by one": "one after another, all threads: `fit`",
    "side by side": "side by side, one thread each: `fit_many`",
    "start": "of that the start of the processes: two runs of one step",
}


def measure(bench: Bench) -> dict[str, Any]:
    asked = {
        "source": bench.mnist.source,
        "recipe": RECIPE,
        "latent": LATENT,
        "steps": bench.pace.of(1_000, 4),
        "seeds": bench.pace.of(8, 2),
        "rounds": bench.pace.of(2, 1),
    }
    return {**asked, "seconds": bench.call("ours", "seeds:by_turns", **asked)}


def page(record: dict[str, Any]) -> str:
    steps = record["steps"]
    lines = [
        "## Many models at once",
        "",
        f"{record['seeds']} seeds of `{record['recipe']}`, d={record['latent']}, {steps:,} steps "
        f"each, runs on disk with their checkpoints and validations; by turns, {record['rounds']} "
        "rounds. The ratio is that of the medians, without the start.",
        "",
        "| | s, median | min to max | runs a minute |",
        "|---|---:|---:|---:|",
    ]
    for name, words in ROWS.items():
        seconds = record["seconds"][name]
        rate = "" if name == "start" else f"{60 * record['seeds'] / median(seconds):.1f}"
        lines.append(
            f"| {words} | {median(seconds):.1f} | {min(seconds):.1f} to {max(seconds):.1f} "
            f"| {rate} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"Side by side is {ratio(record):.2f} times as fast, "
            f"{ratio(record, start=True):.2f} times with the start.",
            "",
        ]
    )


def ratio(record: dict[str, Any], start: bool = False) -> float:
    """How many times as fast they are side by side."""
    took = {name: median(seconds) for name, seconds in record["seconds"].items()}
    return took["one by one"] / (took["side by side"] - (0 if start else took["start"]))


def claims(record: dict[str, Any]) -> list[Claim]:
    what = f"{record['seeds']} seeds side by side against one after another, MLP, d=2"
    return [at_least(5, what, ratio(record), 1.6)]
