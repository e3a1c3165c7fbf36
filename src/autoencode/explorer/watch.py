"""A page that follows a training: made anew at each step that the training keeps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from autoencode.data import Data
from autoencode.errors import AutoencodeError, RunError
from autoencode.explorer.page import html, title_of
from autoencode.explorer.page_payload import scene
from autoencode.explorer.server import ExplorerServer
from autoencode.models.build import Model
from autoencode.models.run import Run
from autoencode.models.snapshots import load_snapshot, snapshots_of

# Seconds between two looks at the folders.
PAUSE = 1.0


class Watch:
    """The newest kept step of each of some runs.

    Raises:
        RunError: a run that keeps no film.
    """

    def __init__(self, runs: Sequence[Run], points: int, data: Data | None = None) -> None:
        self.runs, self.points = list(runs), points
        self.data = runs[0].load_data() if data is None else data
        self.shown: list[Path] = []
        for run in runs:
            if not snapshots_of(run):
                raise RunError(
                    f"{run.folder} keeps no film of its training, so there is nothing to follow",
                    "Train with one: --film 40.",
                )

    def made(self) -> tuple[str, list[Model]]:
        """The page of the newest steps, and the models on it."""
        self.shown = self._newest()
        models = [load_snapshot(run, path) for run, path in zip(self.runs, self.shown, strict=True)]
        content = scene(self.runs, self.points, self.data, models, watched=True)
        return html(content, title_of(self.runs), live=True), models

    def follow(self, server: ExplorerServer) -> None:
        """From now on gives the server a new page whenever a training has kept another step."""
        Thread(target=self._follow, args=(server,), daemon=True).start()

    def _follow(self, server: ExplorerServer) -> None:
        while True:
            time.sleep(PAUSE)
            try:
                self.renew(server)
            except AutoencodeError:
                # A run that is being replaced is no run for a moment; the next look finds it.
                continue

    def renew(self, server: ExplorerServer) -> bool:
        """Gives the server a new page if a training has kept another step; whether it has."""
        if self._newest() == self.shown:
            return False
        server.show(*self.made())
        return True

    def _newest(self) -> list[Path]:
        return [max(snapshots_of(run).values(), default=Path()) for run in self.runs]
