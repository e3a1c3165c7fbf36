"""Schedules: how a number of a recipe changes from a start to its value during training."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from autoencode.arguments import Count, Share, check_value
from autoencode.contract import Within
from autoencode.errors import RecipeError, did_you_mean

# The numbers after the start that each kind takes, with their types; those in brackets in the
# usage may be left out.
_KINDS: Mapping[str, tuple[str, tuple[Any, ...], int]] = {
    "linear": ("start,steps[,wait]", (Count, Annotated[int, Within(0, 10**9)]), 1),
    "cyclical": ("start,steps[,rising]", (Count, Share), 1),
    "stepwise": ("start,steps,jumps", (Count, Count), 2),
}
# Share of a cycle in which the number rises [fu2019].
RISING = 0.5


@dataclass(frozen=True)
class Course:
    """The course of a number from `start` to its value in the recipe, as a function of the step.

    linear, (start, steps, wait): it changes linearly within `steps` steps, after `wait` steps at
        `start`, 0 by default.
    cyclical, (start, steps, rising): in each cycle of `steps` steps it changes linearly within the
        first share `rising`, half by default, and then stays; every cycle begins at `start`
        [fu2019].
    stepwise, (start, steps, jumps): after each `steps` steps it jumps, and reaches its value with
        the last of `jumps` equal jumps.
    """

    kind: str
    start: float
    numbers: tuple[float, ...]

    @classmethod
    def of(cls, given: Any, where: str) -> Course:
        """The course that a recipe gives, (start, steps) or ("cyclical", start, steps).

        where: the name of the number, for error messages.

        Raises:
            RecipeError: there is no such kind, or its numbers are of a wrong type or out of range.
        """
        kind, numbers = "linear", given
        if isinstance(given, tuple | list) and given and isinstance(given[0], str):
            kind, *numbers = given
            if kind not in _KINDS:
                raise RecipeError(
                    f'schedules.{where}: there is no schedule "{kind}"', did_you_mean(kind, _KINDS)
                )
        usage, types, least = _KINDS[kind]
        listed = isinstance(numbers, tuple | list)
        if not listed or not least < len(numbers) <= len(types) + 1:
            raise RecipeError(
                f"schedules.{where} is {reprlib.repr(given)}, and a {kind} schedule is "
                f"{kind}:{usage}",
                f"For example: --set schedules.{where}=linear:0,5000.",
            )
        start, *others = numbers
        check_value(start, float, f"schedules.{where}, the start,")
        names = usage.replace("[", "").replace("]", "").split(",")[1:]
        for value, type_, name in zip(others, types, names, strict=False):
            check_value(value, type_, f"schedules.{where}, {name},")
        return cls(kind, start, tuple(others))

    def share(self, step: float) -> float:
        """The part of the way from the start to the value at a step, 0 to 1; 1 for `inf`."""
        if math.isinf(step):
            return 1.0
        steps, *more = self.numbers
        if self.kind == "linear":
            return min(1.0, max(0.0, step - sum(more)) / steps)
        if self.kind == "stepwise":
            return min(1.0, step // steps / more[0])
        rising = more[0] if more else RISING
        place = step % steps / steps
        return min(1.0, place / rising) if rising else 1.0

    def __str__(self) -> str:
        first, *more = self.numbers
        text = f"from {self.start:g} in {first:,} steps"
        if self.kind == "linear":
            return text + "".join(f", after {wait:,}" for wait in more)
        if self.kind == "stepwise":
            return f"from {self.start:g} in {more[0]:,} jumps, one each {first:,} steps"
        return f"{text}, in cycles, rising in {more[0] if more else RISING:.0%} of each"


def read_schedule(text: str) -> Any:
    """A schedule as the command line gives it, "cyclical:0,2500", as a recipe holds it.

    A text of another form is returned as it is, and refused with the recipe.

    >>> read_schedule("cyclical:0,2500")
    ('cyclical', 0, 2500)
    """
    kind, colon, numbers = text.partition(":")
    try:
        return (kind, *json.loads(f"[{numbers}]")) if colon else text
    except ValueError:
        return text
