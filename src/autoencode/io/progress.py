"""Messages and progress bars on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from autoencode.io.processes import is_first

if TYPE_CHECKING:
    from rich.progress import Progress

DELAY_SECONDS = 1.0  # before a bar appears


def say(text: str) -> None:
    """Print one line for the user on standard error, because standard output may be a pipe.

    Of several processes that train one model, the first one prints it.
    """
    if is_first():
        print(f"autoencode: {text}", file=sys.stderr, flush=True)


class Bar:
    """A progress bar on a terminal, for work of more than a second; `total` 0 is unknown."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self._since = time.monotonic()
        self._progress: Progress | None = None
        self._off = not sys.stderr.isatty() or not is_first()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, steps: int) -> None:
        """Add finished steps."""
        self.done += steps
        if self._off or time.monotonic() - self._since < DELAY_SECONDS:
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
            self._task = self._progress.add_task(self.what, total=self.total or None)
        self._progress.update(self._task, completed=self.done, total=self.total or None)
