"""What a proof finds: figures asked, published and reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs.training import Workshop


@dataclass(frozen=True)
class Claim:
    """One figure and the bound that was set for it beforehand.

    what: with its unit and how it was measured.
    at_most, at_least: the bound, one of them.
    published: the figure of the paper, in words, or "".
    reached: one figure for each seed; their median is held against the bound.
    """

    what: str
    reached: Sequence[float]
    at_most: float | None = None
    at_least: float | None = None
    published: str = ""

    @property
    def median(self) -> float:
        """Of the seeds."""
        return statistics.median(self.reached)

    @property
    def holds(self) -> bool:
        """Whether the median keeps the bound."""
        low = -float("inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return low <= self.median <= high

    def record(self) -> dict[str, Any]:
        """Plain JSON."""
        bound = self.at_most if self.at_least is None else self.at_least
        return {
            "what": self.what,
            "asked": f"{'≥' if self.at_most is None else '≤'} {bound:g}",
            "published": self.published,
            "reached": [round(float(value), 6) for value in self.reached],
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Proof:
    """A row of the table held to its paper.

    prove: trains in the workshop, measures, and says what was found; yields claims, and sentences
        for what belongs beside them.
    """

    row: str
    title: str
    prove: Callable[[Workshop], list[Claim | str]]
    papers: Sequence[str] = field(default=())
