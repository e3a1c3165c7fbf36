"""Arguments and their annotations: ranges, help texts, and the checks of values against them.

The signature of a part is its configuration, and the fields of `Settings` and of the options of
`load_data` are the options of the command line. This module imports no torch, so that `--help` is
quick; for the same reason the checks are written here instead of with pydantic.
"""

from __future__ import annotations

import inspect
import json
import reprlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from autoencode.errors import AutoencodeError, RecipeError, did_you_mean, nearest

# No network that can be trained has more layers than this.
MAX_LIST_LENGTH = 1_000


@dataclass(frozen=True)
class Within:
    """The range of a number, in its annotation: `Annotated[int, Within(1, 9)]`."""

    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __str__(self) -> str:
        return f"from {_digits(self.low)} to {_digits(self.high)}"

    def short(self) -> str:
        """The range for a help text; bounds that only guard against overflow are left out.

        >>> Within(1, 10**9).short(), Within(0.0, 1.0).short(), Within(1e-9, 1e9).short()
        ('1 or more', '0 to 1', 'above 0')
        """
        if self.high < 1e9:
            return f"{_digits(self.low)} to {_digits(self.high)}"
        return "above 0" if 0 < self.low < 1e-6 else f"{_digits(self.low)} or more"


# Seeds that torch, numpy and the standard library all take.
Seed = Annotated[int, Within(0, 2**63 - 1)]
Count = Annotated[int, Within(1, 10**9)]
Share = Annotated[float, Within(0.0, 1.0)]


def option(default: Any, text: str, *, shown: str = "", metavar: str = "", flag: str = "") -> Any:
    """A field of a dataclass that is also an option of the command line.

    text: its help, one sentence.      metavar: the placeholder of its value.
    shown: the default in words, where the default is None.
    flag: the name of the option, where it is not the name of the field.
    """
    return field(
        default=default, metadata={"help": text, "shown": shown, "metavar": metavar, "flag": flag}
    )


def read_value(text: str) -> Any:
    """A value that is written as text: JSON where it is JSON, None for "none", else the text.

    >>> read_value("[512, 256]"), read_value("0.5"), read_value("none"), read_value("normal")
    ((512, 256), 0.5, None, 'normal')
    """
    if text.lower() in ("none", "null"):
        return None
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return tuple(parsed) if isinstance(parsed, list) else parsed


def bare_type(kind: Any) -> tuple[Any, Within | None]:
    """An annotated type without None and without its range, and the range.

    >>> bare_type(Annotated[int, Within(1, 9)] | None)
    (<class 'int'>, Within(low=1, high=9))
    """
    if get_origin(kind) is Annotated:
        inner, bounds, *_ = get_args(kind)
        return inner, bounds
    if get_origin(kind) in (Union, types.UnionType):
        options = [each for each in get_args(kind) if each is not type(None)]
        return bare_type(options[0]) if len(options) == 1 else (reduce(or_, options), None)
    return kind, None


def check_fields(record: Any, error: type[AutoencodeError] = RecipeError) -> None:
    """Checks every field of a dataclass against its annotation.

    Raises:
        AutoencodeError: of the class `error`, as in `check_value`.
    """
    for name, kind in get_type_hints(type(record), include_extras=True).items():
        check_value(getattr(record, name), kind, name, error)


def arguments_of(part: Callable[..., Any]) -> Mapping[str, Any]:
    """Name -> annotated type of each argument that a recipe may give to `part`.

    The sizes, and whatever else JSON cannot express, come from the package itself; an argument
    without a type is no argument of a recipe.
    """
    given = inspect.signature(part, eval_str=True).parameters
    kinds = {name: parameter.annotation for name, parameter in given.items()}
    return {name: kind for name, kind in kinds.items() if not _is_internal(kind)}


def argument_value(part: Callable[..., Any], given: Mapping[str, Any], name: str) -> Any:
    """The value of an argument of `part`, given or by default; None if it has no such argument."""
    parameter = inspect.signature(part).parameters.get(name)
    return None if parameter is None else given.get(name, parameter.default)


def check_arguments(part: Callable[..., Any], given: Mapping[str, Any], where: str) -> None:
    """Checks the arguments `given` to `part` against its signature.

    Raises:
        RecipeError: an argument that does not exist, or a value of a wrong type or out of range.
    """
    known = arguments_of(part)
    for name, value in given.items():
        if name not in known:
            fix = did_you_mean(name, known) if known else f"{where} takes no arguments."
            raise RecipeError(f'{where} takes no argument "{name}"', fix)
        check_value(value, known[name], f"{where}.{name}")


def check_value(
    value: Any, kind: Any, where: str, error: type[AutoencodeError] = RecipeError
) -> None:
    """Refuses a value that is not of the annotated type `kind`.

    Raises:
        AutoencodeError: of the class `error`; it names the field, its type, its range, the value
            and the nearest choice.
    """
    if not _fits(value, kind):
        bare, _ = bare_type(kind)
        choices = get_args(bare) if get_origin(bare) is Literal else ()
        near = nearest(str(value), choices)
        fix = f'Did you mean "{near}"?' if near else ""
        raise error(f"{where} must be {_description(kind)}, and is {reprlib.repr(value)}", fix)


def _is_internal(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and kind not in _DESCRIPTIONS


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _fits(value, inner[0]) and all(value in bounds for bounds in inner[1:])
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple or origin is Sequence:
        listed = isinstance(value, tuple | list) and len(value) <= MAX_LIST_LENGTH
        return listed and all(_fits(each, inner[0]) for each in value)
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if kind in (int, float):
        number = isinstance(value, int | kind) and not isinstance(value, bool)
        return number and abs(value) <= sys.float_info.max
    return kind is Any or (value is None if kind is type(None) else isinstance(value, kind))


def _description(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return " ".join([_description(inner[0]), *map(str, inner[1:])])
    if origin in (Union, types.UnionType):
        return " or ".join(_description(option) for option in inner)
    if origin is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in inner)
    if origin in (tuple, list, Sequence):
        return f"a list, each entry {_description(inner[0])}"
    return _DESCRIPTIONS.get(origin or kind, str(kind))


def _digits(number: float) -> str:
    return f"{number:g}" if 0 < number < 1e-4 else f"{number:,}".removesuffix(".0")


_DESCRIPTIONS = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    type(None): "none",
}
