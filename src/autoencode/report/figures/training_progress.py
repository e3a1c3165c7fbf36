"""Reconstructions of the same examples at several steps of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import numpy as np
from PIL import Image

import autoencode.report.claims as claims
from autoencode.errors import RunError
from autoencode.io.files import Unusable, open_file
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count
from autoencode.report.images import Tiles
from autoencode.report.style import Picture, styled

COLUMNS, MAX_SNAPSHOTS = 10, 8
MAX_WIDTH = 2**18  # pixels
ORIGINALS = "originals.png"


@final
@dataclass(frozen=True)
class TrainingProgress(Figure):
    """Strips of images in a folder; `size` is the height and width of one image in pixels."""

    folder: Path
    size: tuple[int, int]

    key = "training-progress"
    title = "Training progress"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Where training has saved strips of images."""
        folder, image = context.run.folder / "figures" / "training", context.run.sizes.image
        if image is None or not (folder / ORIGINALS).exists():
            return None
        figure = cls(folder, image[1:])
        return figure if figure.snapshots() else None

    def snapshots(self) -> list[tuple[int, Path]]:
        """Step and file of at most eight snapshots: the first, the last, most of them early."""
        found = {int(path.stem): path for path in self.folder.glob("*.png") if path.stem.isdigit()}
        steps = sorted(found)
        if len(steps) > MAX_SNAPSHOTS:
            # Most changes early: equal ratios between the positions, not equal distances.
            places = np.geomspace(1, len(steps), MAX_SNAPSHOTS).round().astype(int)
            # Early positions that coincide move to the next ones.
            for i in range(1, MAX_SNAPSHOTS):
                places[i] = max(places[i], places[i - 1] + 1)
            steps = [steps[place - 1] for place in places]
        return [(step, found[step]) for step in steps]

    @styled()
    def draw(self) -> Picture:
        """The originals in the top row, below it their reconstructions at some steps.

        Raises:
            RunError: a strip cannot be read, or does not have images of this size.
        """
        rows = [Row(self._strip(self.folder / ORIGINALS), "original", space_below=0.12)]
        for step, path in self.snapshots():
            rows.append(Row(self._strip(path), f"step {count(step)}"))
        return draw_rows(rows)

    def _strip(self, path: Path) -> Tiles:
        height, width = self.size
        fix = "Delete its folder, and write the report again without this figure."
        try:
            with open_file(path) as file, Image.open(file, formats=["PNG"]) as image:
                if image.height != height or image.width % width or image.width > MAX_WIDTH:
                    raise Unusable(f"it is not a row of images of {height} × {width} pixels")
                sheet = np.asarray(image.convert("RGB"))
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many kinds at damaged files
            raise RunError(f"{path} cannot be read as an image: {error}", fix) from error
        return np.stack(np.split(sheet, sheet.shape[1] // width, axis=1)[:COLUMNS])

    def caption(self) -> str:
        return (
            "The top row has validation examples, each row below their reconstructions at one step "
            "of training."
        )

    def findings(self) -> str:
        (first, path), (last, path_of_last) = self.snapshots()[0], self.snapshots()[-1]
        strips = [self._strip(each) for each in (self.folder / ORIGINALS, path, path_of_last)]
        shared = min(map(len, strips))
        originals, *others = (strip[:shared] / 255.0 for strip in strips)
        # Channels of a grey image are three times the same.
        errors = [float(((each - originals) ** 2).mean(-1).sum((1, 2)).mean()) for each in others]
        return claims.progress(first, errors[0], last, errors[1])

    def alt(self) -> str:
        steps = ", ".join(count(step) for step, _ in self.snapshots())
        return f"Rows of reconstructions of the same images at steps {steps}, below the originals."
