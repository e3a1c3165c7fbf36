"""What is measured, a module for each section.

A section has `measure(bench)`, which gives its record, fit for JSON; `page(record)`, its part of
the page; and `claims(record)`, what it says about what was asked of the program.
"""

from __future__ import annotations

from typing import Any, Protocol

from speed.bench import Bench
from speed.figures import Claim
from speed.sections import (
    convolutions,
    gpu,
    growth,
    optimizer,
    parity,
    quality,
    seeds,
    start,
    training,
    use,
    variational,
    within,
)


class Section(Protocol):
    """The shape of these modules."""

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Its figures, fit for JSON."""

    def page(self, record: dict[str, Any]) -> str:
        """Its part of the page, from a heading of the second level on."""

    def claims(self, record: dict[str, Any]) -> list[Claim]:
        """What was asked of the program that these figures answer."""


SECTIONS: dict[str, Section] = {
    "training": training,
    "optimizer": optimizer,
    "parity": parity,
    "quality": quality,
    "plane": within.PLANE,
    "wider": within.WIDER,
    "convolutions": convolutions,
    "variational": variational,
    "seeds": seeds,
    "use": use,
    "start": start,
    "growth": growth,
    "gpu": gpu,
}
