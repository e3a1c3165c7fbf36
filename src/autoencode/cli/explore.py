"""`autoencode explore`: move through latent space in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoencode.cli.compare import folders_of
from autoencode.cli.options import OtherSource
from autoencode.cli.output import say
from autoencode.errors import AutoencodeError, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoencode.data import Data
    from autoencode.models.build import Model
    from autoencode.models.run import Run

SUFFIXES = (".html", ".htm")


def explore(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help='Folders of runs, or patterns: "runs/*".')
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page as one file instead.")
    ] = None,
    points: Annotated[
        int, typer.Option(min=10, max=100_000, help="Test examples shown, at most.")
    ] = 5_000,
    data: OtherSource = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to serve on; 0 is any that is free.")
    ] = 0,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow a training that keeps a film: train --film 40.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file.")] = False,
) -> None:
    """Open a page where codes decode under the cursor; two models side by side.

    The page is served on this machine alone, until Ctrl-C. With --html it is one file that works
    in any browser, without a network and without this program. With --watch the page follows a
    training that is still running, from one kept step to the next.

    Example: autoencode explore runs/ae-mnist runs/vae-mnist --html explorer.html
    """
    if html is not None:
        _check_file(html, overwrite)
        if watch:
            raise AutoencodeError("A file follows no training", "Leave out --html or --watch.")
    from autoencode.models.run import open_run

    opened = [open_run(folder) for folder in folders_of(runs)]
    loaded = _data(data)
    if html is not None:
        from autoencode.explorer.page import write_explorer

        path = write_explorer(opened, html, points, loaded)
        say(f"explorer {path}, {path.stat().st_size / 1e6:.1f} MB")
        return
    _serve(opened, points, loaded, port, browser, watch)


def _data(source: str | None) -> Data | None:
    """The data that were asked for, if any were."""
    if source is None:
        return None
    from autoencode.data import load_data

    return load_data(source)


def _serve(
    runs: Sequence[Run], points: int, data: Data | None, port: int, browser: bool, watch: bool
) -> None:
    import webbrowser
    from signal import SIGTERM, default_int_handler, signal

    from autoencode.explorer.server import ExplorerServer
    from autoencode.explorer.watch import Watch

    watched = Watch(runs, points, data) if watch else None
    page, models = _made(runs, points, data) if watched is None else watched.page()
    with ExplorerServer(page, models, port) as server:
        say(f"explorer {server.address}")
        say("         Ctrl-C stops it")
        if browser:
            webbrowser.open(server.address)
        # Stopped by another program, it says goodbye as well.
        signal(SIGTERM, default_int_handler)
        try:
            if watched is not None:
                watched.follow(server)
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped")


def _made(runs: Sequence[Run], points: int, data: Data | None) -> tuple[str, Sequence[Model]]:
    from autoencode.explorer.page import html, title_of
    from autoencode.explorer.page_payload import page_payload

    models = [run.load_model() for run in runs]
    return html(page_payload(runs, points, data, models), title_of(runs), live=True), models


def _check_file(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise AutoencodeError(f"{path} is no name of a page", "End it in .html.")
    if path.is_dir():
        raise RunError(f"{path} is a folder", "Name a file, such as explorer.html.")
    if path.exists() and not overwrite:
        raise RunError(f"{path} is already there", "Replace it with --overwrite, or take another.")
