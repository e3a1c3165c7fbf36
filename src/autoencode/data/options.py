"""The options of `load_data`, which are also the data options of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from autoencode.arguments import Seed, Within, check_fields, option
from autoencode.errors import DataError

OnBad = Literal["fail", "skip"]
Binarise = Literal["static", "dynamic"]
MemoryMode = Literal["auto", "map"]

# Options that a run does not record while they have these values.
OMITTED = {"labels": None, "vectors": None, "labelled": None, "binarise": None, "memory": "auto"}


@dataclass(frozen=True)
class Options:
    """How `load_data` reads and splits data; see there for each option.

    Raises:
        DataError: a value of a wrong type or out of its range.
    """

    labels: Any = option(
        None,
        "Labels of the examples: an .npy, .npz or IDX file of the same length.",
        metavar="FILE",
    )
    vectors: Any = option(
        None, "Vectors that condition the model: an .npy file of shape (N, C).", metavar="FILE"
    )
    labelled: Annotated[int, Within(1, 10**12)] | None = option(
        None, "Number of training examples that keep their label.", shown="all"
    )
    value_range: Sequence[float] | None = option(
        None,
        "Lowest and highest possible value of the data, which become 0 and 1.",
        shown="0 255 for bytes, else 0 1",
        metavar="LOW HIGH",
        flag="range",
    )
    size: Sequence[Annotated[int, Within(1, 8192)]] | None = option(
        None,
        "Height and width (each 1 to 8,192) to which images are resized.",
        shown="as they are",
        metavar="HEIGHT WIDTH",
    )
    on_bad: OnBad = option("fail", "Whether to fail at a file that cannot be used, or to skip it.")
    max_bad: Annotated[float, Within(0.0, 1.0)] = option(
        0.01, "Largest share of the files that may be skipped."
    )
    validation: int | float | None = option(
        None,
        "Number of validation examples, or their share of the training part.",
        shown="a tenth, at most 2,500",
        metavar="NUMBER",
    )
    seed: Seed = option(
        0, "Seed of the split into training, validation and test part.", flag="split-seed"
    )
    binarise: Binarise | None = option(
        None, "Draw pixels black or white by their grey value: static once, dynamic each time."
    )
    memory: MemoryMode = option(
        "auto", "Keep the data in memory if they fit (auto), or in files on disk (map)."
    )

    def __post_init__(self) -> None:
        check_fields(self, DataError)
        if self.size is not None and len(self.size) != 2:
            raise DataError(f"size is {self.size}", "Give height and width, as in size=(32, 32).")
        span = self.value_range
        if span is not None and not (len(span) == 2 and span[0] < span[1]):
            raise DataError(
                f"value_range is {span}",
                "Give the lowest and the highest value, as in value_range=(0, 255).",
            )
        part = self.validation
        if part is not None and not (part >= 1 if isinstance(part, int) else 0 < part < 1):
            raise DataError(
                f"validation is {part}", "Give a number of examples, or a share between 0 and 1."
            )

    def record(self) -> dict[str, Any]:
        """The options as JSON; labels and vectors only where they are paths."""
        options = {each.name: getattr(self, each.name) for each in fields(self)}
        options["value_range"] = self.value_range and [float(v) for v in self.value_range]
        options["size"] = self.size and list(self.size)
        for name in ("labels", "vectors"):
            given = options[name]
            path = isinstance(given, str | Path)
            options[name] = str(Path(given).expanduser().absolute()) if path else None
        for name, unset in OMITTED.items():
            if options[name] == unset:
                del options[name]
        return options
