"""Shows the explorer in a notebook."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from autoencode.errors import AutoencodeError
from autoencode.explorer.page import html, title_of, write_explorer
from autoencode.explorer.page_payload import DEFAULT_POINTS, check_same_data, page_payload
from autoencode.models.foreign import module_data
from autoencode.models.module_run import ModuleRun
from autoencode.models.run import Run, open_run

if TYPE_CHECKING:
    from autoencode.explorer.widget import ExplorerWidget


class Explorer:
    """The explorer page of one or more runs, displayed by Jupyter and marimo.

    The output is a frame that contains the complete page, so a saved notebook still shows it
    without this package and without a kernel. `widget` returns a version that exchanges values
    with the kernel.

    runs: opened runs or their folders; all must have the same data. Also modules with an encoder
        and a decoder, see `models.foreign`, whose data may be the last argument.
    points: maximum number of test examples.   height: of the frame, in CSS pixels.
    data: its test part is shown; None is the data of the runs. Of modules, anything that
        `load_data` takes.

    Raises:
        AutoencodeError: a module that cannot be used, or without data.
        RunError: there are no runs, or they have different data.

    >>> import autoencode as ae
    >>> model = ae.fit("ae", "digits", latent=2, steps=10).model
    >>> explorer = ae.Explorer(model, "digits", points=50)  # a cell that ends with it displays it
    >>> explorer.save("explorer.html")
    PosixPath('explorer.html')
    """

    def __init__(
        self,
        *runs: Any,
        points: int = DEFAULT_POINTS,
        height: int = 820,
        data: Any = None,
    ) -> None:
        if any(isinstance(run, nn.Module) for run in runs):
            if data is None and not isinstance(runs[-1], nn.Module | Run):
                runs, data = runs[:-1], runs[-1]
            data = module_data(data)
        self.runs = [_run_of(run, data) for run in runs]
        check_same_data(self.runs)
        self.points, self.height, self.data = points, height, data

    @cached_property
    def html(self) -> str:
        """The page as HTML."""
        return html(page_payload(self.runs, self.points, self.data), title_of(self.runs))

    def save(self, path: str | Path) -> Path:
        """Write the page as one file."""
        return write_explorer(self.runs, Path(path), self.points, self.data)

    def widget(self) -> ExplorerWidget:
        """Return the page as a widget that shares selection, pins and codes with the kernel.

        Raises:
            AutoencodeError: the optional dependency anywidget is not installed.
        """
        try:
            from autoencode.explorer.widget import ExplorerWidget
        except ImportError as error:
            raise AutoencodeError(
                "The widget needs anywidget, which is not installed",
                'Install it: pip install "autoencode[notebook]"',
            ) from error
        return ExplorerWidget(
            page=self.html,
            title=title_of(self.runs),
            height=self.height,
            sizes=[run.load_model().sizes.latent for run in self.runs],
        )

    def _repr_html_(self) -> str:
        # The sandbox lets scripts run in the frame, and keeps them away from the notebook.
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="{escape(title_of(self.runs))}" '
            'sandbox="allow-scripts allow-downloads" allow="clipboard-write *" loading="lazy" '
            f'style="width: 100%; height: {int(self.height)}px; border: 0"></iframe>'
        )


def _run_of(given: Any, data: Any) -> Run:
    if isinstance(given, nn.Module):
        return ModuleRun.of(given, data)
    return given if isinstance(given, Run) else open_run(given)
