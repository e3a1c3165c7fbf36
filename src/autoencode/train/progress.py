"""The progress bar of a training, on a terminal or in a notebook only."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingBar:
    """Steps done, the terms in nats, squared error, images/s and the time left."""

    def __init__(self, total: int, done: int, wanted: bool | None = None) -> None:
        """wanted: None shows it on a terminal and in a notebook."""
        console = Console(stderr=True)
        shown = console.is_terminal or console.is_jupyter if wanted is None else wanted
        self.progress = Progress(
            TextColumn("[bold]{task.completed:,}[/]/{task.total:,} steps"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not shown,
        )
        self.task = self.progress.add_task("train", total=total, completed=done, figures="")
        self.validation = ""

    def show(self, line: Mapping[str, Any]) -> None:
        """Shows a line of the log."""
        if "validation" in line:
            self.validation = f" (validation {line['validation']['squared_error']:.2f})"
            return
        terms = "  ".join(f"{name} {nats:.1f} nats" for name, nats in line["terms"].items())
        figures = (
            f"{terms}  squared error {line['squared_error']:.2f}{self.validation}  "
            f"{line['images_per_second']:,.0f} images/s"
        )
        self.progress.update(self.task, completed=line["step"], figures=figures)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()
        sys.stderr.flush()
