"""Follows a training: renews the page whenever a run saves another snapshot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from autoencode.data import Data
from autoencode.errors import AutoencodeError, RunError
from autoencode.explorer.page import html, title_of
from autoencode.explorer.page_payload import page_payload
from autoencode.explorer.server import ExplorerServer
from autoencode.models.build import Model
from autoencode.models.run import Run
from autoencode.models.snapshots import load_snapshot, snapshots_of

POLL_SECONDS = 1.0


class Watch:
    """The page of the newest snapshot of each run.

    Raises:
        RunError: a run has no snapshots.
    """

    def __init__(self, runs: Sequence[Run], points: int, data: Data | None = None) -> None:
        self.runs, self.points = list(runs), points
        self.data = runs[0].load_data() if data is None else data
        self.shown: list[Path] = []
        for run in runs:
            if not snapshots_of(run):
                raise RunError(
                    f"{run.folder} has no snapshots of its training, so there is nothing to watch",
                    "Train with snapshots: --snapshots 40.",
                )

    def page(self) -> tuple[str, list[Model]]:
        """Return the page of the newest snapshots as HTML, and its models."""
        self.shown = self._newest()
        models = [load_snapshot(run, path) for run, path in zip(self.runs, self.shown, strict=True)]
        content = page_payload(self.runs, self.points, self.data, models, watched=True)
        return html(content, title_of(self.runs), live=True), models

    def follow(self, server: ExplorerServer) -> None:
        """Renew the page of the server in a background thread, until the program ends."""
        Thread(target=self._follow, args=(server,), daemon=True).start()

    def _follow(self, server: ExplorerServer) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                self.renew(server)
            except AutoencodeError:
                # A run that is being replaced cannot be read for a moment; try again.
                continue

    def renew(self, server: ExplorerServer) -> bool:
        """Give the server a new page if a run has a newer snapshot; return whether it has."""
        if self._newest() == self.shown:
            return False
        server.show(*self.page())
        return True

    def _newest(self) -> list[Path]:
        return [max(snapshots_of(run).values(), default=Path()) for run in self.runs]
