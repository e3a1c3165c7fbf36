"""The command itself: its verbs, and what happens when one of them fails."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from autoencode.cli import compare, data, demo, evaluate, explore, pictures, recipes, study, train
from autoencode.cli.output import complain, say
from autoencode.cli.process import prepare
from autoencode.errors import AutoencodeError, is_disk_full, is_out_of_memory

# What typer makes of Ctrl-C where nothing else listens to it.
INTERRUPTED = 130

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
app.command()(compare.compare)
app.command()(study.study)
app.command()(explore.explore)
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
    prepare()
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    """Runs the command and says in one sentence what went wrong, if anything did."""
    try:
        code: int | None = app(arguments, prog_name="autoencode", standalone_mode=False)
    except AutoencodeError as error:
        complain("error", str(error))
        return error.exit_code
    except typer.TyperException as error:
        if what := error.format_message().strip():  # else it has shown the help
            complain("error", _usage(what, error))
        return error.exit_code
    except OSError as error:
        where = error.filename or "A file"
        complain("error", f"{where} cannot be read or written: {error.strerror}.")
        return 4 if is_disk_full(error) else 2
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        complain("error", "Memory ran out. Take less data, a smaller batch or a smaller model.")
        return 4
    if code == INTERRUPTED:
        complain("error", "Interrupted.")
    return code or 0


def _usage(what: str, error: typer.TyperException) -> str:
    """What is wrong with an option or an argument, and where to look it up."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "autoencode"
    return f"{what}{'' if what.endswith(('.', '?')) else '.'} See: {command} --help"


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    complain("warning", str(message))
