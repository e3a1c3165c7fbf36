"""The same examples again and again while the model learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from autoencode.errors import RunError
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count
from autoencode.report.images import Tiles
from autoencode.report.style import Picture, styled

TITLE = "Watching it learn"
COLUMNS, MOST = 10, 8
ORIGINALS = "originals.png"


@styled()
def draw(folder: Path, size: tuple[int, int]) -> Picture:
    """The originals above, below them their reconstructions at some steps, from strips in a folder.

    `size` is the height and width of one image.

    Raises:
        RunError: a strip cannot be read, or is not one of such images.
    """
    rows = [Row(_strip(folder / ORIGINALS, size), "original", after=0.12)]
    for step, path in chosen(folder):
        rows.append(Row(_strip(path, size), f"step {count(step)}"))
    return draw_rows(rows)


def chosen(folder: Path) -> list[tuple[int, Path]]:
    """At most eight of a folder's strips by their step: the first, the last, most of them early."""
    found = {int(path.stem): path for path in folder.glob("*.png") if path.stem.isdigit()}
    known = sorted(found)
    if len(known) > MOST:
        # Most happens early: equal ratios between the positions, not equal distances.
        places = np.geomspace(1, len(known), MOST).round().astype(int)
        # Early positions that fall together give their place to the next ones.
        for i in range(1, MOST):
            places[i] = max(places[i], places[i - 1] + 1)
        known = [known[place - 1] for place in places]
    return [(step, found[step]) for step in known]


def _strip(path: Path, size: tuple[int, int]) -> Tiles:
    height, width = size
    try:
        with Image.open(path) as image:
            sheet = np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read as a picture",
            "Delete the folder that it is in, and write the report again without it.",
        ) from error
    if sheet.shape[0] != height or sheet.shape[1] % width:
        raise RunError(
            f"{path} is no row of images of {height} × {width} pixels",
            "Delete the folder that it is in, and write the report again without it.",
        )
    columns = np.split(sheet, sheet.shape[1] // width, axis=1)
    return np.stack(columns[:COLUMNS])


def table(folder: Path, size: tuple[int, int]) -> None:
    """Nothing: the figure is images alone."""


def about(folder: Path, size: tuple[int, int]) -> str:
    """What the figure is."""
    return (
        "The top row shows validation examples, each row below their reconstructions at one step "
        "of training. A model first learns the mean of all examples, then rough kinds, and last "
        "each example's own shape."
    )


def see(folder: Path, size: tuple[int, int]) -> str:
    """What to see in it."""
    known = chosen(folder)
    return f"From step {count(known[0][0])} to step {count(known[-1][0])}."


def alt(folder: Path, size: tuple[int, int]) -> str:
    """The figure in words."""
    told = ", ".join(count(step) for step, _ in chosen(folder))
    return f"Rows of the same images as reconstructed at steps {told}, below the originals."
