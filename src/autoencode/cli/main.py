"""The command itself: its verbs, and what happens when one of them fails."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from autoencode.cli import data, demo, evaluate, pictures, recipes, train
from autoencode.cli.output import complain, say
from autoencode.errors import AutoencodeError

app = typer.Typer(
    help="Train, measure, picture and use autoencoders.",
    epilog="Start with: autoencode demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(version("autoencode"))
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Train, measure, picture and use autoencoders."""


app.command()(demo.demo)
app.command()(train.train)
app.command()(train.resume)
app.command()(evaluate.evaluate)
app.command()(pictures.generate)
app.command()(pictures.reconstruct)
app.command()(pictures.interpolate)
app.command()(recipes.recipes)
app.add_typer(data.app, name="data")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command and leaves with its exit code; the user never sees a traceback of his own.

    0 done; 2 what the user can mend; 3 training diverged; 4 memory or disk; 130/143 interrupted,
    saved; 1 our own fault.
    """
    warnings.showwarning = _show_warning
    try:
        app(arguments, prog_name="autoencode")
    except AutoencodeError as error:
        complain("error", str(error))
        sys.exit(error.exit_code)
    except MemoryError:
        complain("error", "Memory ran out. Take less data, a smaller batch or a smaller model.")
        sys.exit(4)


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    complain("warning", str(message))
