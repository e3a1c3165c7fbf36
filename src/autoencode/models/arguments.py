"""The signature that makes a part is its configuration: arguments are checked against it."""

from __future__ import annotations

import inspect
import reprlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from autoencode.errors import RecipeError, did_you_mean

# No network that can be trained has more layers.
LONGEST = 1_000


def arguments_of(part: Callable[..., Any]) -> Mapping[str, Any]:
    """Name -> annotated type of what a recipe may give to `part`.

    Sizes, and whatever else JSON cannot say, are given by the house; what has no type is no
    argument of a recipe.
    """
    given = inspect.signature(part, eval_str=True).parameters
    kinds = {name: parameter.annotation for name, parameter in given.items()}
    return {name: kind for name, kind in kinds.items() if not _of_the_house(kind)}


def value(part: Callable[..., Any], given: Mapping[str, Any], name: str) -> Any:
    """What an argument of `part` is, given or by default; None where it takes no such argument."""
    parameter = inspect.signature(part).parameters.get(name)
    return None if parameter is None else given.get(name, parameter.default)


def check_arguments(part: Callable[..., Any], given: Mapping[str, Any], where: str) -> None:
    """Checks the arguments `given` to `part` against its signature.

    Raises:
        RecipeError: an argument it does not take, or a value of another type or out of range.
    """
    known = arguments_of(part)
    for name, value in given.items():
        if name not in known:
            fix = did_you_mean(name, known) if known else f"{where} takes no arguments."
            raise RecipeError(f'{where} takes no argument "{name}"', fix)
        check_value(value, known[name], f"{where}.{name}")


def check_value(value: Any, kind: Any, where: str) -> None:
    """Refuses a value that is not of the annotated type `kind`.

    Raises:
        RecipeError: naming the field, what it should be and what it is.
    """
    if not _fits(value, kind):
        raise RecipeError(f"{where} must be {_name(kind)}, and is {reprlib.repr(value)}")


def _of_the_house(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and kind not in _NAMES


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _fits(value, inner[0]) and all(value in bound for bound in inner[1:])
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        listed = isinstance(value, tuple | list) and len(value) <= LONGEST
        return listed and all(_fits(each, inner[0]) for each in value)
    if origin is list:
        return isinstance(value, list) and all(_fits(each, inner[0]) for each in value)
    if kind in (int, float):
        number = isinstance(value, int | kind) and not isinstance(value, bool)
        return number and abs(value) <= sys.float_info.max
    return value is None if kind is type(None) else isinstance(value, kind)


def _name(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return f"{_name(inner[0])} {' and '.join(str(bound) for bound in inner[1:])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_name(option) for option in inner)
    if origin is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in inner)
    if origin in (tuple, list):
        return f"a list, each entry {_name(inner[0])}"
    return _NAMES.get(kind, str(kind))


_NAMES = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    type(None): "none",
}
