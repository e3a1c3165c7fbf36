"""`autoencode explore`: move through latent space in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.compare import folders_of
from autoencode.cli.options import OtherSource, Overwrite, RunFolders, takes
from autoencode.cli.output import print_line, print_message
from autoencode.cli.picture import data_of
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError, Interrupted, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoencode.data import Data
    from autoencode.models.build import Model
    from autoencode.models.run import Run

SUFFIXES = (".html", ".htm")


@takes(options=ReadOptions)
def explore(
    runs: RunFolders,
    options: dict[str, Any],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the page to a file instead of serving it."),
    ] = None,
    points: Annotated[
        int, typer.Option(min=10, max=100_000, help="Largest number of test examples to show.")
    ] = 5_000,
    data: OtherSource = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the page; 0 chooses a free one.")
    ] = 0,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow a training run that was started with --snapshots."),
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    overwrite: Overwrite = False,
) -> None:
    """Open a page that decodes the code under the cursor, for one model or two side by side.

    The page is served to this machine only, until Ctrl-C. With --html it is one file that works in
    any browser, without a network and without this program. With --watch the page follows a running
    training from snapshot to snapshot.

    Example: autoencode explore runs/ae-mnist runs/vae-mnist --html explorer.html
    """
    if html is not None:
        _check_file(html, overwrite)
        if watch:
            raise AutoencodeError(
                "A file cannot follow a training run", "Leave out --html or --watch."
            )
    from autoencode.models.run import open_run

    opened = [open_run(folder) for folder in folders_of(runs)]
    loaded = None if data is None else data_of(opened[0], data, options)
    if any(run.preprocessing is not None and run.preprocessing.is_table for run in opened):
        print_message(
            "note",
            "Rows of tables are drawn as bars of their scaled values, of which those below 0 and "
            "above 1 are cut off; autoencode reconstruct writes rows in the units of the table.",
        )
    if html is not None:
        from autoencode.explorer.page import write_explorer

        path = write_explorer(opened, html, points, loaded)
        print_line(f"explorer {path}, {path.stat().st_size / 1e6:.1f} MB")
        return
    _serve(opened, points, loaded, port, browser, watch)


def _serve(
    runs: Sequence[Run], points: int, data: Data | None, port: int, browser: bool, watch: bool
) -> None:
    import gc
    import webbrowser

    from autoencode.explorer.page import html, title_of
    from autoencode.explorer.page_payload import page_payload
    from autoencode.explorer.server import ExplorerServer
    from autoencode.explorer.watch import Watch

    watched = Watch(runs, points, data) if watch else None
    if watched is None:
        models: Sequence[Model] = [run.load_model() for run in runs]
        page = html(page_payload(runs, points, data, models), title_of(runs), live=True)
    else:
        page, models = watched.page()
    with ExplorerServer(page, models, port) as server:
        print_line(f"explorer {server.address}")
        print_line("         Ctrl-C stops it")
        if browser:
            webbrowser.open(server.address)
        if watched is not None:
            watched.follow(server)
        received = server.serve_forever()
    if received is not None:
        # The process ends at once: Python would take about a second to collect its objects.
        gc.freeze()
        raise Interrupted("The explorer has stopped", signal=received)


def _check_file(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise AutoencodeError(f"{path} is not the name of a page", "Choose a name ending in .html.")
    if path.is_dir():
        raise RunError(f"{path} is a folder", "Choose a file, such as explorer.html.")
    if path.exists() and not overwrite:
        raise RunError(f"{path} exists", "Choose another --html, or replace it with --overwrite.")
