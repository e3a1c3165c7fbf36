"""The sections of the benchmark, a module for each.

A section has `measure(bench)`, which returns its results as JSON (the record); `page(record)`, its
part of the page; and `targets(record)`, the targets of this package with the measured results.
"""

from __future__ import annotations

from typing import Any, Protocol

from speed.bench import Bench
from speed.figures import Target
from speed.sections import (
    convolutions,
    gpu,
    growth,
    optimizer,
    parity,
    quality,
    seeds,
    start,
    time_limit,
    training,
    use,
    variational,
)


class Section(Protocol):
    """The functions of these modules."""

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Measures and returns the results as JSON."""

    def page(self, record: dict[str, Any]) -> str:
        """Its part of the page, with a heading of the second level."""

    def targets(self, record: dict[str, Any]) -> list[Target]:
        """The targets of this section and whether they are reached."""


SECTIONS: dict[str, Section] = {
    "training": training,
    "optimizer": optimizer,
    "parity": parity,
    "quality": quality,
    "plane": time_limit.PLANE,
    "wider": time_limit.WIDER,
    "convolutions": convolutions,
    "variational": variational,
    "seeds": seeds,
    "use": use,
    "start": start,
    "growth": growth,
    "gpu": gpu,
}
