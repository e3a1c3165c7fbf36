"""docs/benchmarks.md, made of the figures that docs/benchmarks.json keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speed.figures import Claim
from speed.sections import SECTIONS

HEAD = """# Speed

`make bench` makes this page, all of it in one run; one section anew:
`python benchmarks/speed --only training`. Contenders work on the same images with the same network
and as many threads. They take turns, a block of steps each, round after round, so that a machine
that slows down does so for all. Times are medians over the rounds, ratios are ratios of medians.
Loading, building and the first block of each are left out, unless a table is about them.

Each contender is in a process of its own: this program's set up as the command `autoencode` sets up
its own, loops by hand in the same Python with nothing set up, other libraries in an environment of
their own (`benchmarks/speed/peers.txt`). How threads wait is the same for all.
"""


def whole_page(found: Mapping[str, Any]) -> str:
    """The page of all sections that were measured."""
    parts = [HEAD, _claims(found)]
    for name, record in found.items():
        parts += [SECTIONS[name].page(record), _about(record["about"])]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _claims(found: Mapping[str, Any]) -> str:
    claims = [each for name, record in found.items() for each in SECTIONS[name].claims(record)]
    lines = [
        "## What was asked, and what was seen",
        "",
        "| | asked | seen | |",
        "|---|---|---|---|",
        *(_line(each) for each in sorted(claims, key=lambda claim: claim.number)),
    ]
    return "\n".join(lines)


def _line(claim: Claim) -> str:
    words = {True: "holds", False: "**not met**", None: "not measured"}
    return f"| {claim.number}. {claim.what} | {claim.asked} | {claim.seen} | {words[claim.holds]} |"


def _about(about: Mapping[str, Any]) -> str:
    quick = "A trial run: these figures mean nothing. " if about["quick"] else ""
    waiting = ", ".join(f"{name}={value}" for name, value in about["environment"].items())
    return (
        f"{quick}{about['machine']}; {about['threads']} threads, {waiting}; peers: "
        f"{about['peers']}. {about['rounds']} rounds of {about['block']} steps each, of fewer "
        "where a step is long."
    )
