"""What was measured: figures with units, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.errors import Diverged, RunError

# Raised when a figure is measured in another way, so that kept figures are measured again.
VERSION = 2
TERMS = "terms."
Value = float | int | tuple[float, ...]


@dataclass(frozen=True)
class Record:
    """One measured figure.

    name: "squared_error", "terms.kl".    value: always finite.
    unit: of each number in `value`.        n: examples that it was taken over.
    note: how it was measured, a sentence.
    interval: lower and upper end of the 95 % bootstrap interval over those examples, of a single
        number; it says nothing of how trainings differ.
    """

    name: str
    value: Value
    unit: str
    n: int
    note: str
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if not all(math.isfinite(value) for value in (*values, *(self.interval or ()))):
            raise Diverged(
                f"The {self.name} of this model is not a finite number",
                "Its weights are of no use: train it again, with a smaller lr.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {name: _plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Record:
        """What `to_dict` gave.

        Raises:
            RunError: it is no record.
        """
        try:
            return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()})
        except TypeError as error:
            raise RunError(f"This is no record of a measurement: {error}") from error


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one model; what has no meaning for it is not there."""

    records: tuple[Record, ...]
    n_test: int

    def to_dict(self) -> dict[str, Any]:
        """One JSON object: name -> value, and `terms`, `units`, `notes` and `intervals` by name."""
        figures: dict[str, Any] = {"n_test": self.n_test}
        terms: dict[str, Any] = {}
        for record in self.records:
            if record.name.startswith(TERMS):
                terms[record.name.removeprefix(TERMS)] = record.value
            else:
                figures[record.name] = _plain(record.value)
        return {
            **figures,
            "terms": terms,
            "units": {record.name: record.unit for record in self.records},
            "notes": {record.name: record.note for record in self.records},
            "intervals": {r.name: list(r.interval) for r in self.records if r.interval is not None},
        }

    def __getitem__(self, name: str) -> Value:
        """The value of a figure by its name, as in `evaluation["squared_error"]`.

        Raises:
            KeyError: it was not measured.
        """
        return {record.name: record.value for record in self.records}[name]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
