"""The progress bar of a training, on a terminal or in a notebook only."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Live:
    """A display that is there while its `with` lasts."""

    progress: Progress

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


class TrainingBar(Live):
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

    def say(self, words: str) -> None:
        """Shows what keeps the steps waiting."""
        self.progress.update(self.task, figures=words)


# Bytes at the end of a log that hold its last line.
TAIL = 4_096


class RunsBar(Live):
    """Steps done of many trainings, which other processes write into the logs of their runs."""

    def __init__(
        self, folders: Sequence[Path], totals: Sequence[int], wanted: bool | None = None
    ) -> None:
        """The folder and the steps of each; `wanted` as of `TrainingBar`."""
        console = Console(stderr=True)
        self.shown = console.is_terminal or console.is_jupyter if wanted is None else wanted
        self.progress = Progress(
            TextColumn("[bold]{task.fields[runs]}[/]/{task.fields[all]} runs"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:,}/{task.total:,} steps"),
            TimeRemainingColumn(),
            console=console,
            disable=not self.shown,
        )
        self.folders, self.totals = list(folders), list(totals)
        self.done = [0] * len(self.totals)
        self.open = set(range(len(self.totals)))
        self.task = self.progress.add_task(
            "train", total=sum(self.totals), runs=0, all=len(self.totals)
        )

    def ended(self, position: int) -> None:
        """One of them has ended, whatever became of it."""
        self.open.discard(position)
        self.done[position] = self.totals[position]
        self.look()

    def look(self) -> None:
        """Shows how far they are."""
        if not self.shown:
            return
        for position in self.open:
            self.done[position] = last_step(self.folders[position])
        runs = len(self.totals) - len(self.open)
        self.progress.update(self.task, completed=sum(self.done), runs=runs)


def last_step(folder: Path) -> int:
    """The step of the last line in the log of a run; 0 where there is none."""
    with suppress(OSError), (folder / "log.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - TAIL))
        for line in reversed(file.read().splitlines()):
            with suppress(ValueError, KeyError, TypeError):  # half a line
                return int(json.loads(line)["step"])
    return 0
