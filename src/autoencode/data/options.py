"""The options of `load_data`, which are also the data options of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from autoencode.arguments import Help, Within, check_fields
from autoencode.errors import DataError

Size = Annotated[int, Within(1, 8192)]
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

    labels: Annotated[
        Any,
        Help(
            "Labels of the examples: an .npy, .npz or IDX file of the same length.", metavar="FILE"
        ),
    ] = None
    vectors: Annotated[
        Any,
        Help("Vectors that condition the model: an .npy file of shape (N, C).", metavar="FILE"),
    ] = None
    labelled: Annotated[
        Annotated[int, Within(1, 10**12)] | None,
        Help("Number of training examples that keep their label.", default="all"),
    ] = None
    value_range: Annotated[
        Sequence[float] | None,
        Help(
            "Lowest and highest possible value of the data, which become 0 and 1.",
            default="0 255 for bytes, else 0 1",
            metavar="LOW HIGH",
            flag="range",
        ),
    ] = None
    size: Annotated[
        Sequence[Size] | None,
        Help(
            "Height and width (each 1 to 8,192) to which images are resized.",
            default="as they are",
            metavar="HEIGHT WIDTH",
        ),
    ] = None
    on_bad: Annotated[
        OnBad, Help("Whether to fail at a file that cannot be used, or to skip it.")
    ] = "fail"
    max_bad: Annotated[
        float, Within(0.0, 1.0), Help("Largest share of the files that may be skipped.")
    ] = 0.01
    validation: Annotated[
        int | float | None,
        Help(
            "Number of validation examples, or their share of the training part.",
            default="a tenth, at most 2,500",
            metavar="NUMBER",
        ),
    ] = None
    seed: Annotated[
        int,
        Within(0, 2**63 - 1),
        Help("Seed of the split into training, validation and test part.", flag="split-seed"),
    ] = 0
    binarise: Annotated[
        Binarise | None,
        Help("Draw pixels black or white by their grey value: static once, dynamic each time."),
    ] = None
    memory: Annotated[
        MemoryMode, Help("Keep the data in memory if they fit (auto), or in files on disk (map).")
    ] = "auto"

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
