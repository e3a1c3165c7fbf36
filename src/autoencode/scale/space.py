"""The search space of a sweep: which arguments are varied, and over which values."""

from __future__ import annotations

import json
import math
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from autoencode.arguments import arguments_of, bare_type, check_value, read_value
from autoencode.contract import Width
from autoencode.errors import RecipeError, did_you_mean, nearest
from autoencode.models.recipe import PART_SLOTS, Recipe, Weighted
from autoencode.parts import SLOTS
from autoencode.train import Settings

# Settings that are not varied, and what to do instead.
NOT_VARIED = {
    "seed": "Train each configuration with several seeds: --seeds 3 (seeds=3).",
    **dict.fromkeys(
        ("validate_every", "checkpoint_every", "snapshots", "device", "tensorboard", "compile"),
        "It does not change what is learned; leave it out.",
    ),
}
HOW = "Write LOW..HIGH, LOW..HIGH:log, or values separated by |"


@dataclass(frozen=True)
class NumberRange:
    """Numbers from `low` to `high`, both included.

    log: drawn evenly on a logarithmic scale.   whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low}..{self.high}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choices:
    """A list of values, without an order.

    labels: the text of each value, as JSON where it is not a text.
    """

    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The text of each value: "[512, 256]", "none", "normal"."""
        return tuple(map(label_of, self.values))

    def __str__(self) -> str:
        return "|".join(self.labels)


Space = Mapping[str, NumberRange | Choices]


def label_of(value: Any) -> str:
    """A value as text that `read_value` reads back.

    >>> label_of((512, 256)), label_of(None), label_of("normal"), label_of(0.1)
    ('[512, 256]', 'none', 'normal', '0.1')
    """
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def space_of(
    recipe: Recipe, vary: Mapping[str, Any] | Sequence[str], settings: Mapping[str, Any] = {}
) -> Space:
    """The search space of a sweep, checked against the arguments of a recipe and the settings.

    vary: name -> "2..64", "1e-4..1e-2:log", "[256]|[512, 256]" or a list of values; or such
        entries as texts, "latent=2..64:log". A name is a setting, "lr", or an address of the
        recipe, "terms.kl.weight".
    settings: those that all trials have.

    Raises:
        RecipeError: no such name, or a range or value that the argument does not take.

    >>> import autoencode as ae
    >>> space_of(ae.RECIPES["vae"], ["latent=2..64:log"])
    {'latent': NumberRange(low=2, high=64, log=True, whole=True)}
    """
    if not isinstance(vary, Mapping):
        vary = _by_name([vary] if isinstance(vary, str) else vary)
    if not vary:
        raise RecipeError("A sweep varies nothing", "For example: --vary latent=2..64:log")
    named = {_canonical(name): each for name, each in vary.items()}
    space = {name: _dimension(recipe, name, given) for name, given in named.items()}
    if fixed := [name for name in space if name in settings]:
        raise RecipeError(
            f"{fixed[0]} is varied and also set to {settings[fixed[0]]}", "Leave one of them out."
        )
    # Settings may need one another: then only a trial knows whether its values go together.
    together = len(space.keys() & setting_names()) > 1
    for name, dimension in space.items():
        if not (together and name in setting_names()):
            for value in _ends(dimension):
                with_values(recipe, settings, {name: value})
    return space


def combinations(space: Space) -> int | None:
    """The number of combinations of values; None if there are infinitely many.

    >>> combinations({"latent": NumberRange(2, 4, whole=True), "prior": Choices(("a", "b"))})
    6
    """
    sizes = []
    for dimension in space.values():
        if isinstance(dimension, Choices):
            sizes.append(len(dimension.values))
        elif dimension.whole:
            sizes.append(int(dimension.high) - int(dimension.low) + 1)
        else:
            return None
    return math.prod(sizes)


def with_values(
    recipe: Recipe, settings: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[Recipe, dict[str, Any]]:
    """A recipe and settings with the values of a trial.

    The parts of slots are set before their arguments.

    Raises:
        RecipeError: the values do not go together.
    """
    known = setting_names()
    changed = dict(settings)
    for name in sorted(values, key=lambda each: each.count(".")):
        if name in known:
            changed[name] = values[name]
        else:
            recipe = recipe.set(name, values[name])
    Settings.of(recipe, changed)
    return recipe, changed


def setting_names() -> list[str]:
    """The names of the settings that a user may give."""
    return [each.name for each in fields(Settings) if "help" in each.metadata]


def _canonical(name: str) -> str:
    """A setting by the name of its option, "batch-size", has the name of its field."""
    return name.replace("-", "_") if name.replace("-", "_") in setting_names() else name


def _by_name(entries: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in entries:
        name, sign, value = str(text).partition("=")
        if not name or not sign or not value:
            raise RecipeError(f'--vary takes NAME=VALUES, and got "{text}"', f"{HOW}.")
        if name in found:
            raise RecipeError(f"{name} is varied twice", "Give one --vary for each name.")
        found[name] = value
    return found


def _dimension(recipe: Recipe, name: str, given: Any) -> NumberRange | Choices:
    kind = _kind_of(recipe, name)
    if isinstance(given, NumberRange | Choices):
        found = given
    elif isinstance(given, str):
        found = _read(name, given, kind)
    elif isinstance(given, Sequence):
        found = Choices(tuple(tuple(v) if isinstance(v, list) else v for v in given))
    else:
        raise RecipeError(
            f"The values of {name} are {given!r}", f'{HOW}, or give a list: {{"{name}": [1, 2]}}.'
        )
    if isinstance(found, Choices):
        if len(found.values) < 2:
            raise RecipeError(
                f'{name} has one value, "{found}", so it is not varied',
                f"Fix it instead: {_fixed(name, found.labels[0] if found.values else 'VALUE')}.",
            )
        if len(set(found.labels)) < len(found.labels):
            raise RecipeError(f"The values of {name}, {found}, hold one twice", "Give each once.")
    for value in _ends(found):
        # None empties a slot or is the word "none" of an argument, which `set` knows.
        if kind is not None and value is not None:
            check_value(value, kind, name)
    return found


def _ends(dimension: NumberRange | Choices) -> tuple[Any, ...]:
    """The values to check: the ends of a range, or all choices."""
    if isinstance(dimension, NumberRange):
        return dimension.low, dimension.high
    return dimension.values


def _fixed(name: str, value: str) -> str:
    if name == "latent" or name in setting_names():
        return f"--{name.replace('_', '-')} {value}"
    return f"--set {name}={value}"


def _read(name: str, text: str, kind: Any) -> NumberRange | Choices:
    if "|" in text:
        parts = [part.strip() for part in text.split("|")]
        if not all(parts):
            raise RecipeError(f'{name}={text} has an empty value between "|"', f"{HOW}.")
        return Choices(tuple(map(read_value, parts)))
    low, dots, rest = text.partition("..")
    if not dots:
        return Choices((read_value(text),))
    high, colon, scale = rest.partition(":")
    if colon and scale != "log":
        raise RecipeError(
            f'{name}={text} has the scale "{scale}"', "The only scale to write is log, as :log."
        )
    numeric = _numeric(kind)
    if not numeric:
        raise RecipeError(
            f"{name} is not a number, so it has no range {text}",
            f"Give values separated by |: {name}={_example(kind)}",
        )
    ends = [_end(name, text, end, int in numeric and float not in numeric) for end in (low, high)]
    if all(isinstance(end, int) for end in ends) and int not in numeric:
        ends = [float(end) for end in ends]
    whole = all(isinstance(end, int) for end in ends)
    first, last = ends if whole else map(float, ends)
    if first >= last:
        fix = f"Write {name}={high}..{low}{colon}{scale}" if first > last else _fixed(name, low)
        what = "begins above its end" if first > last else "has one value"
        raise RecipeError(f"The range {name}={text} {what}", f"{fix}.")
    if colon and first <= 0:
        raise RecipeError(
            f"The range {name}={text} begins at {low}, and a logarithmic scale needs numbers above "
            "0",
            f"Begin above 0, or leave :log out: {name}={low}..{high}",
        )
    return NumberRange(first, last, bool(colon), whole)


def _end(name: str, text: str, end: str, whole: bool) -> int | float:
    try:
        value: int | float = int(end)
    except ValueError:
        try:
            value = float(end)
        except ValueError:
            value = math.nan
    if not abs(value) <= sys.float_info.max:  # also no number, and whole numbers beyond floats
        raise RecipeError(f'"{end}" in {name}={text} is not a finite number', f"{HOW}.")
    if whole and not isinstance(value, int):
        if value != int(value):
            raise RecipeError(f'{name} takes whole numbers, and "{end}" is none', f"{HOW}.")
        value = int(value)
    return value


def _kind_of(recipe: Recipe, name: str) -> Any:
    """The annotated type of an argument; None for one that is checked when it is set.

    Raises:
        RecipeError: no such name, or one that is not varied.
    """
    settings = setting_names()
    if name in NOT_VARIED:
        raise RecipeError(f"{name} is a setting that a sweep does not vary", NOT_VARIED[name])
    if name in settings:
        return get_type_hints(Settings, include_extras=True)[name]
    head, _, rest = name.partition(".")
    if head == "training" and rest:
        raise RecipeError(f"{name} is a setting", f"Write its own name: --vary {rest}=…")
    if head == "schedules" and rest:
        return None  # an address of its own, which `set` checks
    addresses = recipe.addresses()
    if name not in addresses:
        names = [*addresses, *settings]
        short = nearest(name, [each.rpartition(".")[2] for each in addresses])
        ends = [each for each in addresses if each.rpartition(".")[2] in (name, short)]
        near = nearest(name, names)
        fix = did_you_mean(name, names) if near or not ends else f'Did you mean "{ends[0]}"?'
        raise RecipeError(f'There is nothing named "{name}" to vary', fix)
    if name == "latent":
        return Width
    if name == "samples":
        return Width | None
    if name in PART_SLOTS:
        return Literal[tuple(sorted(SLOTS[name]))] if name != "network" else str
    slot, _, argument = name.rpartition(".")
    for own, spec, kind in recipe.parts():
        if own == slot:
            if argument == "weight" and isinstance(spec, Weighted):
                return float
            return arguments_of(kind).get(argument)
    return None


def _numeric(kind: Any) -> set[type]:
    """Which of int and float an argument takes; both for one of unknown type."""
    if kind is None:
        return {int, float}
    bare, _ = bare_type(kind)
    options = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    return {found for each in options if (found := bare_type(each)[0]) in (int, float)}


def _example(kind: Any) -> str:
    bare, _ = bare_type(kind)
    options = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    for each in options:
        if get_origin(each) is Literal:
            return "|".join(get_args(each)[:2])
        if each is bool:
            return "true|false"
        if get_origin(each) is Sequence or get_origin(each) in (tuple, list):
            return "[256]|[512,256]"
    return "A|B"
