"""Examples that a model gives, in the units and formats of the data."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from autoencode.data import Preprocessing
from autoencode.errors import AutoencodeError, DataError
from autoencode.use.files import JPEG_QUALITY, TABLES, Folder, image_bytes


def check_kind(path: Path, model: Any, pictures: Sequence[str]) -> None:
    """Check that an output goes with the examples of a model.

    pictures: endings of the pictures that hold many images.

    Raises:
        AutoencodeError: it does not.
    """
    ending = path.suffix.lower()
    table = model.preprocessing is not None and model.preprocessing.is_table
    images = model.sizes.image is not None
    if table and ending not in (*TABLES, ".npy"):
        raise AutoencodeError(
            "The model is one of a table, and rows are no pictures",
            f"Write a table: --out {path.with_suffix('.csv')}",
        )
    if not table and (ending in TABLES or (not images and ending != ".npy")):
        what = "not one of a table" if images else "one of vectors, which are no pictures"
        raise AutoencodeError(
            f"The model is {what}", f"Write an array: --out {path.with_suffix('.npy')}"
        )
    if images and ending and ending not in (*pictures, ".npy"):
        raise AutoencodeError(
            f"{path} has an unknown ending",
            f"Give a folder, an .npy file, or a picture ({', '.join(pictures)}).",
        )


def in_units(preprocessing: Preprocessing | None, x: Tensor) -> np.ndarray:
    """Examples as a model gives them, [n, *X], in the units and the type of the data.

    Raises:
        DataError: it is not known how the data were preprocessed.
    """
    if preprocessing is None:
        raise DataError(
            "This model does not know how its data were preprocessed",
            "Set it: model.preprocessing = load_data(source).preprocessing.",
        )
    # Images beyond the range of the data have no meaning; a column of a table has no range.
    return preprocessing.inverse(x if preprocessing.is_table else x.clamp(0, 1))


def by_column(preprocessing: Preprocessing, raw: np.ndarray) -> dict[str, Any]:
    """Rows [n, columns] of objects as columns: numbers as float64, categories as texts."""
    return {
        column.name: values.astype(np.float64) if column.kind == "numeric" else values.tolist()
        for column, values in zip(preprocessing.columns, raw.T, strict=True)
    }


@dataclass
class Formats:
    """How many images were written in another format than their name says, and how many as JPEG."""

    changed: int = 0
    lossy: int = 0

    def note(self) -> str:
        """A sentence, "" if every bit was kept in the format of the name."""
        notes = []
        if self.changed:
            notes.append(f"{self.changed:,} images were written in a format that keeps their type.")
        if self.lossy:
            notes.append(
                f"{self.lossy:,} images were written as JPEG of quality {JPEG_QUALITY}, which "
                "changes pixels a little."
            )
        return " ".join(notes)


def add_images(
    folder: Folder,
    names: Sequence[str],
    raw: np.ndarray,
    preprocessing: Preprocessing,
    formats: Formats | None = None,
) -> Formats:
    """Write images [n, ...] in their own units as files, and count their formats.

    names: of the files; an ending that cannot hold the type of the images is replaced.
    """
    formats = formats or Formats()
    if preprocessing.channels_last and raw.ndim == 4:
        raw = np.moveaxis(raw, -1, 1)
    for name, image in zip(names, raw, strict=True):
        stem, ending = posixpath.splitext(name)
        content, new = image_bytes(image, ending.lower())
        formats.changed += bool(ending) and new != ending.lower()
        formats.lossy += new in (".jpg", ".jpeg")
        folder.write(f"{stem}{ending if new == ending.lower() else new}", content)
    return formats
