"""Corrupted examples and what a denoising model makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import torch
from torch import Tensor

import autoencode.report.claims as claims
from autoencode.report.figures.base import ReportContext, ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table

COLUMNS = 10


@final
@dataclass(frozen=True)
class Denoising(ViewFigure):
    """The first examples clean, corrupted as in training, and denoised."""

    key = "denoising"
    title = "Denoising"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Where the recipe corrupts its inputs."""
        return super().for_run(context) if context.run.recipe.corruption is not None else None

    @styled()
    def draw(self) -> Picture:
        """Blocks of three rows: clean, corrupted, denoised."""
        view = self.view
        clean, corrupted, denoised = view.denoised
        errors = _errors(denoised, clean)
        rows = []
        for start in range(0, len(clean), COLUMNS):
            block = slice(start, start + COLUMNS)
            rows.append(Row(view.tiles(clean[block]), "clean", space_below=0.02))
            rows.append(Row(view.tiles(corrupted[block]), "corrupted", space_below=0.02))
            below = [short(error) for error in errors[block].tolist()]
            tiles = view.tiles(denoised[block])
            rows.append(Row(tiles, "denoised", below=below, space_below=0.14))
        return draw_rows(rows)

    def table(self) -> Table:
        """A row for each example."""
        clean, corrupted, denoised = self.view.denoised
        which = torch.arange(len(clean))
        return Table(
            {
                **self.view.example_columns(which),
                "squared error corrupted, summed over one example": _errors(
                    corrupted, clean
                ).numpy(),
                "squared error denoised, summed over one example": _errors(denoised, clean).numpy(),
            }
        )

    def caption(self) -> str:
        return (
            "Each block has test examples in its top row, the same examples corrupted as in "
            "training below, and the denoised images in its last row. The number below a denoised "
            "image is its squared error against the clean example."
        )

    def findings(self) -> str:
        clean, corrupted, denoised = self.view.denoised
        before, after = (_errors(images, clean).mean().item() for images in (corrupted, denoised))
        return claims.denoising(before, after)

    def alt(self) -> str:
        return f"Rows of clean, corrupted and denoised test examples. {self.findings()}"


def _errors(images: Tensor, clean: Tensor) -> Tensor:
    return (images - clean).square().flatten(1).sum(1)
