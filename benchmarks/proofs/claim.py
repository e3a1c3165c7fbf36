"""Claims of a proof: required, published and measured values."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.runner import ProofRunner


@dataclass(frozen=True)
class Claim:
    """A metric, and a bound for it that was set before the measurement.

    what: the metric, with its unit and how it was measured.
    measured: one value for each seed; the claim is about their median.
    at_most, at_least: the bound; one of them is given.
    published: the value in the paper, in words, or "".
    """

    what: str
    measured: Sequence[float]
    at_most: float | None = None
    at_least: float | None = None
    published: str = ""

    @property
    def median(self) -> float:
        """The median over the seeds."""
        return statistics.median(self.measured)

    @property
    def holds(self) -> bool:
        """Whether the median is within the bound."""
        low = -float("inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return low <= self.median <= high

    def record(self) -> dict[str, Any]:
        """The claim as JSON."""
        bound = self.at_most if self.at_least is None else self.at_least
        return {
            "what": self.what,
            "required": f"{'≥' if self.at_most is None else '≤'} {bound:g}",
            "published": self.published,
            "measured": [round(float(value), 6) for value in self.measured],
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Proof:
    """The comparison of a recipe with its paper.

    row: the name of the recipe.   title: one sentence.
    prove: trains with the runner and measures; returns claims, and sentences that explain them.
    """

    row: str
    title: str
    prove: Callable[[ProofRunner], list[Claim | str]]
