"""What the writers of all parts share: facts of the model, numbers, and refusals."""

from __future__ import annotations

from dataclasses import dataclass

from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.models.recipe import Recipe


class NoPlainForm(RecipeError):
    """A part of a recipe has no form in plain PyTorch."""


@dataclass(frozen=True)
class Facts:
    """A recipe and the sizes of its model.

    given: ", c" if the model is conditioned, to be appended to arguments, else "".
    """

    recipe: Recipe
    sizes: Sizes

    @property
    def given(self) -> str:
        """The argument of a conditional model after another one."""
        return ", c" if self.sizes.context else ""

    @property
    def sum_x(self) -> str:
        """Sums values (N, *X) over an example."""
        return _sum(self.sizes.x)

    @property
    def sum_z(self) -> str:
        """Sums values (N, *Z) over a code."""
        return _sum(self.sizes.z)

    @property
    def flat_z(self) -> str:
        """Flattens codes that are feature maps to (N, d)."""
        return "" if len(self.sizes.z) == 1 else ".flatten(1)"

    def refuse(self, part: str) -> NoPlainForm:
        """The error that a part has no form in plain PyTorch."""
        return NoPlainForm(f'{part} of recipe "{self.recipe.name}" has no form in plain PyTorch')


def number(value: float) -> str:
    """A number as Python code.

    >>> number(4.0), number(0.02), number(25)
    ('4', '0.02', '25')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def shape(sizes: tuple[int, ...]) -> str:
    """The shape of a batch of examples or codes, for docstrings.

    >>> shape((28, 28))
    '(N, 28, 28)'
    """
    return f"({', '.join(['N', *map(str, sizes)])})"


def indented(lines: list[str], by: int = 4) -> list[str]:
    """Lines with more space at the start; empty lines stay empty."""
    return [" " * by + line if line else line for line in lines]


def _sum(event: tuple[int, ...]) -> str:
    return ".sum(1)" if len(event) == 1 else ".flatten(1).sum(1)"
