"""The command `autoencode`: its verbs, its exit codes and its error messages."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Annotated, Any

import typer

from autoencode.cli import data
from autoencode.cli.options import doubled_words
from autoencode.cli.output import print_line, print_message
from autoencode.cli.process import prepare
from autoencode.errors import (
    AutoencodeError,
    Interrupted,
    is_disk_full,
    is_out_of_memory,
    nearest,
)
from autoencode.io.processes import by_torchrun, is_first, is_first_here

# Each verb is a function in a module of its own, both of its name; in the order of the help.
VERBS = "demo train resume evaluate compare study sweep explore"
VERBS += " embed anomalies reconstruct denoise impute generate interpolate export serve"
VERBS += " push pull recipes"
# Those of them that several processes can do together.
TOGETHER = ("train", "resume")
# The exit code that typer gives to Ctrl-C where nothing else handles it.
INTERRUPTED = 130

app = typer.Typer(
    epilog="Start with: autoencode demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        from autoencode.version import __version__

        print_line(__version__)
        raise typer.Exit


def _paragraphs(text: str) -> str:
    """A docstring with each paragraph on one line, so that the terminal's width breaks it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Train, measure, draw and explore autoencoders."""


for verb in VERBS.split():
    function = getattr(import_module(f"autoencode.cli.{verb}"), verb)
    app.command(help=_paragraphs(function.__doc__))(function)
app.add_typer(data.app, name="data")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command and exits; a mistake of the user is answered by a sentence.

    Exit codes: 0 done; 2 an error that the user can fix; 3 training diverged; 4 memory or disk ran
    out; 130 or 143 interrupted, and everything is saved; 1 an error of this program, with its
    traceback.
    """
    warnings.showwarning = _show_warning
    prepare()
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    """Runs the command, prints the error if there is one, and returns the exit code."""
    try:
        words = doubled_words(sys.argv[1:] if arguments is None else arguments)
        if words and words[0] not in TOGETHER and by_torchrun():
            raise AutoencodeError(
                f"torchrun started several processes, and autoencode {words[0]} is one alone",
                f"Start it without torchrun: autoencode {words[0]} …",
            )
        code: int | None = app(words, prog_name="autoencode", standalone_mode=False)
    except AutoencodeError as error:
        # Of the processes of one training, one prints an error that all of them raise.
        if is_first_here() if error.agreed is None else (is_first() or not error.agreed):
            # Who stops a command knows why it ends: nothing is wrong.
            print_message("note" if isinstance(error, Interrupted) else "error", str(error))
        return error.exit_code
    except typer.TyperException as error:
        # Without a message, typer has shown the help.
        if error.format_message().strip() and is_first_here():
            print_message("error", _usage_error(error))
        return error.exit_code
    except OSError as error:
        path = error.filename or "A file"
        print_message("error", f"{path} cannot be read or written: {error.strerror}.")
        return 4 if is_disk_full(error) else 2
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print_message("error", "Memory ran out. Use less data, a smaller batch or a smaller model.")
        return 4
    if code == INTERRUPTED:
        print_message("note", "Interrupted.")
    return code or 0


def _usage_error(error: typer.TyperException) -> str:
    """What is wrong with an option or argument, the nearest option, and where the help is."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "autoencode"
    sentence = error.format_message().strip()
    option = getattr(error, "option_name", None)
    if context and option and hasattr(error, "possibilities"):  # there is no such option
        sentence = f"There is no option {option}."
        if near := _nearest_option(option, context):
            sentence += f" Did you mean {near}?"
    elif not sentence.endswith((".", "?")):
        sentence += "."
    return f"{sentence} See: {command} --help"


def _nearest_option(name: str, context: typer.Context) -> str | None:
    """The option of a command that is spelt most like `name`, or whose help contains its words."""
    helps = {
        flag[2:]: (getattr(parameter, "help", None) or "").lower()
        for parameter in context.command.params
        for flag in parameter.opts
        if flag.startswith("--")
    }
    word = name.strip("-").lower()
    described = [flag for flag, text in helps.items() if word.replace("-", " ") in text]
    near = nearest(word, helps) or next(iter(described), None)
    return f"--{near}" if near else None


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    print_message("warning", str(message))
