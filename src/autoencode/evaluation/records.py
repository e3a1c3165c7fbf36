"""Records of measured metrics: values with units, intervals, and values of single examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from torch import Tensor

from autoencode.arguments import Within, check_value
from autoencode.errors import AutoencodeError, Diverged, RunError, did_you_mean

# Raised when a metric is measured in another way, so that cached metrics are measured again.
VERSION = 4
# The name of a term's metric is "terms.kl".
TERM_PREFIX = "terms."
Value = float | int | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """One measured metric.

    name: "squared_error", "terms.kl".    value: finite numbers, or names.
    unit: of each number in `value`; empty without one.    n: number of examples.
    note: how it was measured, a sentence.
    interval: lower and upper end of the 95 % bootstrap interval of a single number over those
        examples; it says nothing about other trainings.
    per_example: of a mean over test examples, the value of each of them, float32 [N_test], NaN
        where it was not measured. Records that differ only in it are equal.
    """

    name: str
    value: Value
    unit: str
    n: int
    note: str
    interval: tuple[float, float] | None = None
    per_example: Tensor | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        numbers = (value for value in values if not isinstance(value, str))
        if not all(math.isfinite(value) for value in (*numbers, *(self.interval or ()))):
            raise Diverged(
                f"The {self.name} of this model is not a finite number",
                "Its weights are of no use: train it again, with a smaller lr.",
            )

    def to_dict(self) -> dict[str, Any]:
        """The record without the values of single examples, ready for JSON."""
        return {name: value for name, value in vars(self).items() if name != "per_example"}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], per_example: Tensor | None = None) -> Record:
        """The record that `to_dict` was called on.

        Raises:
            RunError: the mapping is not a record.
        """
        check_value(given, dict, "a record", RunError)
        for name in {*given, *_KINDS}:
            if name not in given or name not in _KINDS:
                raise RunError(f"{name} is {'unknown' if name in given else 'missing'}")
            check_value(given[name], _KINDS[name], name, RunError)
        if (ends := given["interval"]) is not None and (len(ends) != 2 or ends[0] > ends[1]):
            raise RunError(f"interval must be a lower and an upper end, and is {ends}")
        if per_example is not None and (
            per_example.dim() != 1
            or per_example.dtype != torch.float32
            or bool(per_example.isinf().any())
        ):
            raise RunError("the values of single examples are not finite numbers, float32 [N]")
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return cls(**fields, per_example=per_example)


# Types of the entries of a record in a file.
_KINDS: Mapping[str, Any] = {
    "name": str,
    "value": float | list[float] | list[str],
    "unit": str,
    "n": Annotated[int, Within(0, 10**12)],
    "note": str,
    "interval": list[float] | None,
}


class UnknownMetric(AutoencodeError, KeyError):
    """A metric that an evaluation does not have."""

    def __str__(self) -> str:
        # That of `KeyError` puts quotation marks around the message.
        return Exception.__str__(self)


@dataclass(frozen=True)
class Evaluation(Mapping[str, Value]):
    """Everything that was measured for one model; metrics without a meaning for it are left out.

    It is a mapping from the name of each metric to its value: `evaluation["squared_error"]`,
    `"nll" in evaluation`, `dict(evaluation)`.

    n_test, data: the number of test examples, and the name of the data.
    left_out: the measures or metrics that the data or the run do not allow, and why.
    """

    records: tuple[Record, ...]
    n_test: int
    data: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """One JSON object: name -> value, and `terms`, `units`, `notes` and `intervals` by name."""
        metrics: dict[str, Any] = {"n_test": self.n_test}
        terms: dict[str, Any] = {}
        for record in self.records:
            if record.name.startswith(TERM_PREFIX):
                terms[record.name.removeprefix(TERM_PREFIX)] = record.value
            else:
                metrics[record.name] = record.value
        return {
            **metrics,
            "terms": terms,
            "units": {record.name: record.unit for record in self.records},
            "notes": {record.name: record.note for record in self.records},
            "intervals": {r.name: r.interval for r in self.records if r.interval is not None},
            "data": self.data,
            **({"left_out": dict(self.left_out)} if self.left_out else {}),
        }

    def per_example(self) -> dict[str, Tensor]:
        """Values of single test examples by metric, float32 [N_test], NaN where not measured."""
        return {r.name: r.per_example for r in self.records if r.per_example is not None}

    def __getitem__(self, name: str) -> Value:
        """The value of a metric by its name, as in `evaluation["squared_error"]`.

        Raises:
            UnknownMetric: a `KeyError`; it was not measured.
        """
        for record in self.records:
            if record.name == name:
                return record.value
        term = f"{TERM_PREFIX}{name}"
        fix = f'Did you mean "{term}"?' if term in list(self) else did_you_mean(name, self)
        raise UnknownMetric(f'There is no metric "{name}" in this evaluation', fix)

    def __iter__(self) -> Iterator[str]:
        """The names of the metrics."""
        return (record.name for record in self.records)

    def __len__(self) -> int:
        """The number of metrics."""
        return len(self.records)
