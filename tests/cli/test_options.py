"""The options of the command: one sentence of help each, and the defaults of the dataclasses."""

import re
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from autoencode.arguments import Within, option
from autoencode.cli import options
from autoencode.cli.main import app
from autoencode.data import load_data
from autoencode.data.options import Options, ReadOptions
from autoencode.train.settings import Settings


def commands(command, path=()):
    """Every command with its path: ("train",), ("data", "check"), …."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(path, command)]
    return [found for name, each in inner.items() for found in commands(each, (*path, name))]


COMMANDS = commands(typer.main.get_command(app))
PARAMETERS = [
    (" ".join((*path, parameter.opts[0])), parameter)
    for path, command in COMMANDS
    for parameter in command.params
    if parameter.name != "help"
]


def test_the_walk_finds_the_verbs():
    assert len(COMMANDS) >= 15
    assert len(PARAMETERS) > 100


def test_every_option_has_one_sentence_of_help():
    for name, parameter in PARAMETERS:
        text = parameter.help or ""
        assert text.endswith("."), name
        assert text[0].isupper(), name
        assert ". " not in text.replace("e.g. ", ""), name
        assert "film" not in parameter.opts[0], name


def test_no_verb_has_two_options_of_one_name():
    for path, command in COMMANDS:
        flags = [flag for each in command.params for flag in (*each.opts, *each.secondary_opts)]
        assert len(flags) == len(set(flags)), path


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda value: str(value)[:30])
def test_every_verb_has_a_sentence_and_an_example(path, command):
    first, *_, last = command.help.split("\n\n")
    assert first.endswith(".")
    assert last.startswith(f"Example: autoencode {' '.join(path)}")


@pytest.mark.parametrize(
    ("verb", "target", "record"),
    [
        (("train",), "settings", Settings),
        (("train",), "options", Options),
        (("study",), "options", Options),
        (("sweep",), "settings", Settings),
        (("sweep",), "options", Options),
        (("data", "check"), "options", Options),
    ],
)
def test_every_field_is_an_option_with_its_default(verb, target, record):
    found = {each.name: each for each in dict(COMMANDS)[verb].params}
    for field in (each for each in fields(record) if "help" in each.metadata):
        option = found[f"{target}__{field.name}"]
        assert option.default == field.default
        assert option.show_default


def test_load_data_explains_every_option():
    for field in fields(Options):
        assert re.search(rf"\b{field.name}\b", load_data.__doc__), field.name


@dataclass(frozen=True)
class Wider(Settings):
    depth: Annotated[int, Within(1, 9)] = option(3, "Number of levels.")
    way: Literal["up", "down"] = option("up", "Direction.")
    deep: bool = option(False, "Go deep.", flag="go-deep")


@pytest.fixture
def wider():
    """A command whose options are the fields of `Wider`, and what it received."""
    received = []
    command = typer.Typer()

    @command.command()
    @options.takes(settings=Wider)
    def verb(settings: dict[str, object]) -> None:
        received.append(settings)

    return command, received


def test_a_new_field_becomes_an_option(wider):
    command, received = wider
    shown = CliRunner().invoke(command, ["--help"], env={"COLUMNS": "120"}).output
    for words in ("--depth", "Number of levels (1 to 9).", "[default: 3]", "[up|down]", "--steps"):
        assert words in shown
    found = CliRunner().invoke(command, ["--depth", "4", "--way", "up", "--go-deep", "--lr", "0.1"])
    assert found.exit_code == 0, found.output
    # Also a value that equals the default counts as given: a recipe may set another one.
    assert received == [{"depth": 4, "way": "up", "deep": True, "lr": 0.1}]


def test_values_that_are_given_can_be_written_as_a_command_line():
    given = {"value_range": (0.0, 255.0), "on_bad": "skip", "seed": 3}
    assert options.flags_of(Options, given) == (
        "--range 0.0 255.0 --on-bad skip --split-seed 3".split()
    )


@pytest.mark.long
@pytest.mark.parametrize("width", [80, 120])
def test_no_option_is_cut_off_in_the_help(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for path, command in COMMANDS:
        shown = CliRunner().invoke(app, [*path, "--help"]).output
        for parameter in command.params:
            for flag in (opt for opt in parameter.opts if opt.startswith("--")):
                assert flag in shown, (path, flag)


def test_what_the_data_may_switch_on_can_be_switched_off():
    """And an option that has its own opposite keeps it."""
    words = options.flags_of(Settings, {"flip": False, "tensorboard": True})
    assert words == ["--no-flip", "--tensorboard"]
    assert options.flags_of(ReadOptions, {"channels_last": False}) == ["--channels-first"]
    assert options.flags_of(ReadOptions, {"channels_last": True}) == ["--channels-last"]
