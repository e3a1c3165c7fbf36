"""The options of `load_data`, which are also the data options of the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from autoencode.arguments import Seed, Within, check_fields, option
from autoencode.errors import DataError, did_you_mean

OnBad = Literal["fail", "skip"]
Binarise = Literal["static", "dynamic"]
MemoryMode = Literal["auto", "map"]
Scale = Literal["standard", "robust", "minmax", "none"]


@dataclass(frozen=True)
class ReadOptions:
    """How a source is read, as `load_data` and every verb with new data take it.

    Raises:
        DataError: a value of a wrong type or out of its range.
    """

    labels: Any = option(
        None,
        "Labels of the examples: an .npy, .npz or IDX file of the same length, or a .csv file with "
        "the columns file and label.",
        metavar="FILE",
    )
    no_labels: bool = option(False, "Ignore all labels, also those that folders of images give.")
    vectors: Any = option(
        None, "Vectors that condition the model: an .npy file of shape (N, C).", metavar="FILE"
    )
    label: str | None = option(
        None, "Column of a table that holds the labels.", metavar="COLUMN", shown="none"
    )
    id: str | None = option(
        None, "Column of a table that names its rows.", metavar="COLUMN", shown="row numbers"
    )
    columns: Any = option(
        None,
        "Columns of a table that the model learns, separated by commas.",
        metavar="A,B,…",
        shown="all but label, id and group",
    )
    categorical: Any = option(
        None,
        "Numeric columns of a table that are categories, separated by commas.",
        metavar="A,B,…",
        shown="columns of text",
    )
    train_dir: str | None = option(
        None, "Sub-folder with the training images.", metavar="FOLDER", shown="by its name"
    )
    test_dir: str | None = option(
        None, "Sub-folder with the test images.", metavar="FOLDER", shown="by its name"
    )
    ignore: Any = option(
        None,
        "Names or patterns of folders and files that are left out, separated by commas.",
        metavar="A,B,…",
        shown="hidden files and leftovers of systems",
    )
    channels_last: bool | None = option(
        None,
        "Whether arrays of images have their channels last, (N, H, W, C), or first.",
        shown="by their shape, which is stated",
        flag="channels-last/--channels-first",
    )
    value_range: Sequence[float | str] | Literal["auto"] | None = option(
        None,
        "Lowest and highest possible value of the data, which become 0 and 1; auto takes "
        "percentiles of the training part.",
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

    def __post_init__(self) -> None:
        check_fields(self, DataError)
        for name in ("columns", "categorical", "ignore"):
            object.__setattr__(self, name, _names(getattr(self, name), name))
        object.__setattr__(self, "value_range", _range(self.value_range))
        if self.size is not None and len(self.size) != 2:
            raise DataError(f"size is {self.size}", "Give height and width, as in size=(32, 32).")
        if self.no_labels and (self.labels is not None or self.label is not None):
            raise DataError("no_labels is set, and labels are given", "Leave one of them out.")

    @property
    def span(self) -> tuple[float, float] | None:
        """The given range of values; None without one, and for "auto"."""
        if self.value_range is None or self.value_range == "auto":
            return None
        low, high = map(float, self.value_range)
        return low, high


@dataclass(frozen=True)
class Options(ReadOptions):
    """How `load_data` reads, scales and splits data; see there for each option.

    Raises:
        DataError: a value of a wrong type or out of its range.
    """

    labelled: Annotated[int, Within(1, 10**12)] | None = option(
        None, "Number of training examples that keep their label.", shown="all"
    )
    normal: Any = option(
        None,
        "Classes to train on, separated by commas; the others are kept for testing, for the "
        "detection of anomalies.",
        metavar="A,B,…",
        shown="all classes",
    )
    per_channel: bool = option(
        False, "With the range auto, take the percentiles of each channel separately."
    )
    scale: Scale | None = option(
        None,
        "Scaling of each column of a table or of vectors: by mean and deviation, by median and "
        "quartiles, by minimum and maximum, or none.",
        shown="standard for tables, none for other data",
    )
    validation: int | float | None = option(
        None,
        "Number of validation examples, or their share of the training part.",
        shown="a tenth, at most 2,500",
        metavar="NUMBER",
    )
    group: str | None = option(
        None,
        "Column of a table, or regular expression on file names, whose equal values stay in one "
        "part.",
        metavar="COLUMN|REGEX",
        shown="none",
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
        super().__post_init__()
        object.__setattr__(self, "normal", _names(self.normal, "normal"))
        if self.per_channel and self.value_range != "auto":
            raise DataError(
                "per_channel is set without the range auto",
                "Add --range auto (value_range='auto'), or leave it out.",
            )
        part = self.validation
        if part is not None and not (part >= 1 if isinstance(part, int) else 0 < part < 1):
            raise DataError(
                f"validation is {part}", "Give a number of examples, or a share between 0 and 1."
            )
        if self.group is not None:
            try:
                re.compile(self.group)
            except re.error as error:
                raise DataError(
                    f"group is {self.group!r}, which is no regular expression: {error}",
                    "Give the name of a column, or a regular expression such as 'patient(\\d+)'.",
                ) from error

    def record(self) -> dict[str, Any]:
        """The options that are not at their defaults as JSON; labels only where they are paths."""
        found: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("labels", "vectors"):
                path = isinstance(value, str | Path)
                value = str(Path(value).expanduser().absolute()) if path else None
            if value != each.default:
                found[each.name] = list(value) if isinstance(value, tuple) else value
        return found


def _names(given: Any, what: str) -> tuple[str, ...] | None:
    """Names from a list, or from a text in which commas separate them."""
    if given is None:
        return None
    names = given.split(",") if isinstance(given, str) else list(given)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise DataError(f"{what} is {given!r}", f"Give names, as in {what}='a,b'.")
    return tuple(name.strip() for name in names)


def _range(given: Any) -> Literal["auto"] | tuple[float, float] | None:
    if given is None or given == "auto" or (isinstance(given, Sequence) and set(given) == {"auto"}):
        return None if given is None else "auto"
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (-math.inf < low < high < math.inf):
        raise DataError(
            f"value_range is {given}",
            "Give the lowest and the highest value, as in value_range=(0, 255), or 'auto'.",
        )
    return low, high


def options_of(given: Mapping[str, Any]) -> Options:
    """Options from keyword arguments.

    Raises:
        DataError: there is no such option.
    """
    allowed = [each.name for each in fields(Options)]
    for name in given:
        if name not in allowed:
            raise DataError(f'There is no option "{name}" of data', did_you_mean(name, allowed))
    return Options(**given)
