"""The options of the verbs: those that several share, and those that dataclasses define."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import Field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from autoencode.arguments import bare_type, read_value
from autoencode.errors import AutoencodeError

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a run, or hf:owner/name.")
]
RunFolders = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN", help='Folders of runs, patterns such as "runs/*", or hf:owner/name.'
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Report = Annotated[bool, typer.Option(help="Write report.html and card.md into the run folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Number of training runs at the same time, in processes of this computer.",
        show_default="number of cores",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Train on the workers of a Dask scheduler, such as tcp://HOST:8786.",
        show_default="this computer",
    ),
]
MeasureWorkers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Measure so many runs at the same time, in processes of this computer.",
        show_default="one after another, in this process",
    ),
]
MeasureCluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Measure on the workers of a Dask scheduler, such as tcp://HOST:8786.",
        show_default="this computer",
    ),
]
PartWorkers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Use a folder of images in parts, in so many processes of this computer.",
        show_default="this process",
    ),
]
PartCluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Use a folder of images in parts, on the workers of a Dask scheduler, such as "
        "tcp://HOST:8786.",
        show_default="this computer",
    ),
]
Measures = Annotated[
    str,
    typer.Option(
        help="What to measure, separated by commas: reconstruction, pca, objective and codes "
        "(together quick), likelihood, space, generation, gaps, shift, disentanglement, or all."
    ),
]
Samples = Annotated[
    int, typer.Option(min=1, help="Number of importance samples per image for log p(x).")
]
Images = Annotated[
    int, typer.Option(min=1, help="Number of test images on which log p(x) is estimated.")
]
Source = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A data set by name (see: autoencode data list), a folder or archive of images, or an "
        ".npy, .npz or IDX file.",
    ),
]
TrainingSource = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A data set by name (see: autoencode data list), a folder of images, or an .npy, .npz "
        "or IDX file.",
        show_default="mnist, or that of the continued run",
    ),
]
OtherSource = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="Data set, folder of images or array file to use.",
        show_default="the data of the run",
    ),
]

# Titles of the groups of options that `takes` adds, by the parameter that receives their values.
PANELS = {"settings": "Training (a recipe may set other defaults)", "options": "Data"}


def takes(
    omit: Collection[str] = (), **records: type[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds an option to a verb for every field of dataclasses that `arguments.option` has made.

    omit: fields without an option, because the verb has its own of the same name.
    records: parameter of the verb -> dataclass. The verb receives in this parameter a dict of the
        values that the user gave, by the names of the fields; the dataclass checks them later.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        def command(context: typer.Context, **values: Any) -> None:
            for target, record in records.items():
                given = {}
                for each in fields(record):
                    value = values.pop(name := f"{target}__{each.name}", None)
                    source = context.get_parameter_source(name)
                    if source is not None and source.name == "COMMANDLINE":
                        given[each.name] = value
                values[target] = given
            verb(**values)

        parameters = [_keyword("context", typer.Context)]
        for parameter in inspect.signature(verb, eval_str=True).parameters.values():
            if parameter.name in records:
                parameters += [
                    each
                    for each in _parameters(parameter.name, records[parameter.name])
                    if each.name.partition("__")[2] not in omit
                ]
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for typer
        return command

    return decorate


def flags_of(record: type[Any], given: Mapping[str, Any]) -> list[str]:
    """The words of a command line that give the values `given` to the fields of a dataclass."""
    words: list[str] = []
    for each in fields(record):
        if each.name in given:
            value = given[each.name]
            words.append(_flag(each, value))
            if not isinstance(value, bool):
                words += map(str, value if isinstance(value, tuple) else [value])
    return words


def _flags(option: Field[Any]) -> str:
    """The flag of an option, with its opposite where there is one: --report/--no-report."""
    flag = f"--{option.metadata['flag'] or option.name.replace('_', '-')}"
    # What the data or the recipe may switch on needs a way to switch it off.
    is_on = option.default is True or (option.default is None and "bool" in str(option.type))
    return f"{flag}/--no-{flag[2:]}" if is_on and "/" not in flag else flag


def _flag(option: Field[Any], value: Any) -> str:
    on, _, off = _flags(option).partition("/")
    return off if value is False else on


def _parameters(target: str, record: type[Any]) -> list[inspect.Parameter]:
    """Parameters for typer, one for each field of a dataclass that was made with `option`."""
    hints = get_type_hints(record, include_extras=True)
    found = []
    for each in (each for each in fields(record) if "help" in each.metadata):
        kind, bounds = bare_type(hints[each.name])
        text, choices = each.metadata["help"], get_args(kind) if get_origin(kind) is Literal else ()
        option = typer.Option(
            _flags(each),
            help=f"{text[:-1]} ({bounds.short()})." if bounds else text,
            show_default=each.metadata["shown"] or True,
            metavar=each.metadata["metavar"] or (f"[{'|'.join(choices)}]" if choices else None),
            rich_help_panel=PANELS[target],
            parser=_number if kind == int | float else None,
        )
        kind = Annotated[_typer_type(kind) | None, option]
        found.append(_keyword(f"{target}__{each.name}", kind, each.default))
    return found


def _keyword(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def _typer_type(kind: Any) -> Any:
    """The type with which typer reads a field; the dataclass checks choices and ranges itself."""
    if get_origin(kind) is Sequence:  # a pair of numbers
        (entry,) = get_args(kind)
        return tuple[int, int] if bare_type(entry)[0] is int else tuple[float, float]
    if any(get_origin(each) is Sequence for each in get_args(kind)):  # a pair, or one word
        return tuple[str, str]
    return kind if kind in (int, float, bool) else str


def _number(text: str) -> int | float:
    """A whole number, or another one.

    Raises:
        typer.BadParameter: the text is not a number.
    """
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a number.") from None


def doubled_words(arguments: list[str]) -> list[str]:
    """Command-line words with `--range auto` as the pair that the option takes.

    >>> doubled_words(["train", "--range", "auto", "--json"])
    ['train', '--range', 'auto', 'auto', '--json']
    """
    found = list(arguments)
    for i in range(len(found) - 1, 0, -1):
        if found[i - 1 : i + 1] == ["--range", "auto"] and found[i + 1 : i + 2] != ["auto"]:
            found.insert(i, "auto")
    return found


def assignment(text: str) -> tuple[str, Any]:
    """`terms.kl.weight=4` to its dotted name and its value, read as JSON where it is JSON.

    Raises:
        AutoencodeError: there is no equals sign.

    >>> assignment("network.hidden=[512, 256]")
    ('network.hidden', (512, 256))
    >>> assignment("prior=none")
    ('prior', None)
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise AutoencodeError(
            f'--set takes NAME=VALUE, and got "{text}"', "For example: --set terms.kl.weight=4"
        )
    return name, read_value(value)
