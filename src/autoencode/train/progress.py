"""Progress bars of trainings, on a terminal or in a notebook only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from autoencode.io.files import Unusable, open_file

# Bytes at the end of a log that hold its last line.
MAX_LINE_BYTES = 4_096


class LiveBar:
    """A bar that is shown inside a `with` statement."""

    def __init__(self, wanted: bool | None, *columns: ProgressColumn) -> None:
        """wanted: None shows the bar on a terminal and in a notebook."""
        console = Console(stderr=True)
        self.shown = console.is_terminal or console.is_jupyter if wanted is None else wanted
        self.progress = Progress(*columns, console=console, disable=not self.shown)

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


class TrainingBar(LiveBar):
    """Steps, terms of the loss, squared error, images/s and the time left."""

    def __init__(
        self, total: int, step: int, unit_of: Callable[[str], str], wanted: bool | None = None
    ) -> None:
        """unit_of: the unit of a term, by its name.   wanted: as of `LiveBar`."""
        super().__init__(
            wanted,
            TextColumn("[bold]{task.completed:,}[/]/{task.total:,} steps"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
        )
        self.task = self.progress.add_task("train", total=total, completed=step, figures="")
        self.unit_of, self.validation = unit_of, ""

    def show(self, line: Mapping[str, Any]) -> None:
        """Shows a line of the log."""
        if "validation" in line:
            self.validation = f" (validation {line['validation']['squared_error']:.2f})"
            return
        terms = "  ".join(
            f"{name} {value:.4g} {self.unit_of(name)}".rstrip()
            for name, value in line["terms"].items()
        )
        figures = (
            f"{terms}  squared error {line['squared_error']:.2f}{self.validation}  "
            f"{line['images_per_second']:,.0f} images/s"
        )
        self.progress.update(self.task, completed=line["step"], figures=figures)

    def say(self, text: str) -> None:
        """Shows why the steps wait."""
        self.progress.update(self.task, figures=text)


class RunsBar(LiveBar):
    """Steps of many trainings, read from the logs that other processes write."""

    def __init__(
        self, folders: Sequence[Path], totals: Sequence[int], wanted: bool | None = None
    ) -> None:
        """The folder and the number of steps of each; `wanted` as of `LiveBar`."""
        super().__init__(
            wanted,
            TextColumn("[bold]{task.fields[runs]}[/]/{task.fields[all]} runs"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,}/{task.total:,} steps"),
            TimeRemainingColumn(),
        )
        self.folders, self.totals = list(folders), list(totals)
        self.done = [0] * len(self.totals)
        self.running = set(range(len(self.totals)))
        self.task = self.progress.add_task(
            "train", total=sum(self.totals), runs=0, all=len(self.totals)
        )

    def finish(self, position: int) -> None:
        """Counts one training as finished, whatever became of it."""
        self.running.discard(position)
        self.done[position] = self.totals[position]
        self.refresh()

    def refresh(self) -> None:
        """Shows how far the trainings are."""
        if not self.shown:
            return
        for position in self.running:
            self.done[position] = last_step(self.folders[position])
        runs = len(self.totals) - len(self.running)
        self.progress.update(self.task, completed=sum(self.done), runs=runs)


def last_step(folder: Path) -> int:
    """The step of the last line in the log of a run; 0 where there is none."""
    with suppress(OSError, Unusable), open_file(folder / "log.jsonl") as file:
        file.seek(max(0, file.seek(0, 2) - MAX_LINE_BYTES))
        for line in reversed(file.read().splitlines()):
            # An incomplete line, or one that is none.
            with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                return int(json.loads(line)["step"])
    return 0
