"""How data are to be read: the options of `load_data`, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoencode.data.split.binarisation import BINARISE
from autoencode.errors import DataError, did_you_mean

ON_BAD = ("fail", "skip")
MEMORY = ("auto", "map")


@dataclass(frozen=True)
class Options:
    """The options of `load_data`, see there.

    Raises:
        DataError: an option has a value without meaning.
    """

    labels: Any = None
    vectors: Any = None
    labelled: int | None = None
    value_range: Sequence[float] | None = None
    size: Sequence[int] | None = None
    on_bad: str = "fail"
    max_bad: float = 0.01
    validation: int | float | None = None
    seed: int = 0
    binarise: str | None = None
    memory: str = "auto"

    def __post_init__(self) -> None:
        if self.binarise is not None and self.binarise not in BINARISE:
            raise DataError(
                f'binarise is "{self.binarise}"', did_you_mean(str(self.binarise), BINARISE)
            )
        if self.memory not in MEMORY:
            raise DataError(f'memory is "{self.memory}"', did_you_mean(str(self.memory), MEMORY))
        if self.on_bad not in ON_BAD:
            raise DataError(f'on_bad is "{self.on_bad}"', did_you_mean(self.on_bad, ON_BAD))
        if not _number(self.max_bad) or not 0 <= self.max_bad <= 1:
            raise DataError(f"max_bad is {self.max_bad}", "Give a fraction from 0 to 1.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise DataError(f"seed is {self.seed}", "Give a whole number from 0 up.")
        kept = self.labelled
        if kept is not None and (isinstance(kept, bool) or not isinstance(kept, int) or kept < 1):
            raise DataError(
                f"labelled is {kept}", "Give the number of training examples that keep their label."
            )
        if self.size is not None and not (
            _pair(self.size) and all(isinstance(n, int) and 1 <= n <= 8192 for n in self.size)
        ):
            raise DataError(f"size is {self.size}", "Give height and width, as in size=(32, 32).")
        if self.value_range is not None and not (
            _pair(self.value_range)
            and all(_number(v) and math.isfinite(v) for v in self.value_range)
            and self.value_range[0] < self.value_range[1]
        ):
            raise DataError(
                f"value_range is {self.value_range}",
                "Give the lowest and the highest value, as in value_range=(0, 255).",
            )
        v = self.validation
        whole = isinstance(v, int) and v >= 1
        if v is not None and (isinstance(v, bool) or not (whole or (_number(v) and 0 < v < 1))):
            raise DataError(
                f"validation is {v}", "Give a number of examples, or a fraction between 0 and 1."
            )

    def record(self) -> dict[str, Any]:
        """The options fit for JSON, labels and vectors only where they are paths."""
        kept: dict[str, Any] = {
            "value_range": self.value_range and [float(v) for v in self.value_range],
            "size": self.size and list(self.size),
            "on_bad": self.on_bad,
            "max_bad": self.max_bad,
            "validation": self.validation,
            "seed": self.seed,
        }
        for name in ("labelled", "binarise"):
            if getattr(self, name) is not None:
                kept[name] = getattr(self, name)
        if self.memory != "auto":
            kept["memory"] = self.memory
        for name in ("labels", "vectors"):
            given = getattr(self, name)
            if isinstance(given, str | Path):
                kept[name] = str(Path(given).expanduser().absolute())
        return kept


def _pair(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 2


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
