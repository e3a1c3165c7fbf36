"""docs/benchmarks.md, written from the results in docs/benchmarks.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speed.figures import Target
from speed.sections import SECTIONS

HEAD = """# Speed

`make bench` measures everything on this page in one run. To measure one section again, run for
example `python benchmarks/speed --only training`. All programs use the same images, the same
network and the same number of threads. They take turns, a block of steps each, round after round,
so that a change of the machine's speed affects all of them. Times are medians over the rounds;
ratios are ratios of medians. Unless a table is about them, loading the data, building the model and
the first block are not timed.

Each program runs in its own process: this package in a process with the settings of the command
`autoencode`, plain loops in the same Python without these settings, other libraries in their own
environment (`benchmarks/speed/peers.txt`). The settings for waiting threads are the same for all.
"""


def page(records: Mapping[str, Any]) -> str:
    """The page of all sections that were measured."""
    parts = [HEAD, _targets(records)]
    for name, record in records.items():
        parts += [SECTIONS[name].page(record), _conditions(record["conditions"])]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _targets(records: Mapping[str, Any]) -> str:
    targets = [each for name, record in records.items() for each in SECTIONS[name].targets(record)]
    lines = [
        "## Targets and results",
        "",
        "| target | required | measured | |",
        "|---|---|---|---|",
        *(_line(each) for each in sorted(targets, key=lambda target: target.number)),
    ]
    return "\n".join(lines)


def _line(target: Target) -> str:
    verdict = {True: "reached", False: "**not reached**", None: "not measured"}[target.reached]
    verdict = verdict if target.required else ""  # a result without a bound
    return f"| {target.number}. {target.what} | {target.required} | {target.measured} | {verdict} |"


def _conditions(conditions: Mapping[str, Any]) -> str:
    quick = "A quick run: these results mean nothing. " if conditions["quick"] else ""
    environment = ", ".join(f"{name}={value}" for name, value in conditions["environment"].items())
    return (
        f"{quick}{conditions['machine']}; {conditions['threads']} threads, {environment}; peers: "
        f"{conditions['peers']}. {conditions['rounds']} rounds of {conditions['block']} steps, "
        "fewer where a step is long."
    )
