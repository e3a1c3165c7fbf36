"""The explorer in a notebook."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from autoencode.data import Data
from autoencode.errors import AutoencodeError
from autoencode.explorer.page import html, title_of, write_explorer
from autoencode.explorer.page_payload import POINTS, check_alike, scene
from autoencode.models.run import Run, open_run

if TYPE_CHECKING:
    from autoencode.explorer.widget import ExplorerWidget


class Explorer:
    """The explorer's page of some runs, which Jupyter and marimo show where it is.

    The page stands in the notebook as a frame with everything in it, so that a saved notebook still
    shows it, without this package and without a kernel. `widget` is one that the kernel hears from.

    runs: opened, or their folders; on one page they share their data.
    points: test examples shown, at most.   height: of the frame, CSS pixels.
    data: whose test part is shown; None is that of the runs.

    Raises:
        RunError: no runs, or runs of other data.
    """

    def __init__(
        self,
        *runs: Run | str | Path,
        points: int = POINTS,
        height: int = 820,
        data: Data | None = None,
    ) -> None:
        self.runs = [run if isinstance(run, Run) else open_run(run) for run in runs]
        check_alike(self.runs)
        self.points, self.height, self.data = points, height, data

    @cached_property
    def html(self) -> str:
        """The page."""
        return html(scene(self.runs, self.points, self.data), title_of(self.runs))

    def save(self, path: str | Path) -> Path:
        """Writes the page as one file."""
        return write_explorer(self.runs, Path(path), self.points, self.data)

    def widget(self) -> ExplorerWidget:
        """The page as a widget, which shares with the kernel what is selected, pinned and shown.

        Raises:
            AutoencodeError: anywidget, an extra, is not installed.
        """
        try:
            from autoencode.explorer.widget import ExplorerWidget
        except ImportError as error:
            raise AutoencodeError(
                "A widget needs anywidget, which is not installed",
                'Install it: pip install "autoencode[notebook]"',
            ) from error
        return ExplorerWidget(
            page=self.html,
            title=title_of(self.runs),
            height=self.height,
            sizes=[run.load_model().sizes.latent for run in self.runs],
        )

    def _repr_html_(self) -> str:
        # Scripts run in the frame, and can reach nothing of the notebook.
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(title_of(self.runs))}" '
            'sandbox="allow-scripts allow-downloads" allow="clipboard-write *" loading="lazy" '
            f'style="width: 100%; height: {int(self.height)}px; border: 0"></iframe>'
        )
