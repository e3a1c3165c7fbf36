"""The errors of the package as errors of scikit-learn, with fixes that are Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from autoencode.errors import AutoencodeError, DataError, Diverged, RecipeError, RunError

# Options of the command line that are parameters of the estimators under the same name.
PARAMETERS = ("steps", "batch-size", "lr", "latent", "scale")


class EstimatorError(AutoencodeError, ValueError):
    """A parameter, the data or a training is not usable; a ValueError, as scikit-learn expects."""


@contextmanager
def value_errors() -> Iterator[None]:
    """Raises the errors of the package as `EstimatorError`; lack of memory stays as it is."""
    try:
        yield
    except (DataError, RecipeError, RunError, Diverged) as error:
        raise EstimatorError(error.what, in_python(error.fix)) from error


def in_python(fix: str) -> str:
    """A fix with parameters of the estimators instead of options of the command line.

    >>> in_python("Use more: --set terms.kl.weight=2. Or --lr 0.1 or --patience 5.")
    "Use more: overrides={'terms.kl.weight': 2}. Or lr=0.1 or training={'patience': 5}."
    >>> in_python("Give their range: --range 0 16 (value_range=(0, 16)).")
    'Give their range: value_range=(0, 16).'
    >>> in_python("Leave out --labels (--steps, --patience).")
    'Leave out labels= (steps=, patience=).'
    """
    if re.search(r"\bautoencode [a-z]", fix):  # a command
        return fix
    # Where a sentence gives both forms, the form in Python stays.
    fix = re.sub(r"--[a-z][\w-]*(?: [\w.+-]+)* \((\w+=(?:[^()]|\([^()]*\))*)\)", r"\1", fix)
    fix = re.sub(r"--set ([\w.-]+)=([^\s;,()]*[^\s;,().])", _override, fix)
    fix = re.sub(r"--([a-z][\w-]*) ([a-z]*[0-9][\w.-]*\w|\d|none)(?![\w=])", _setting, fix)
    return re.sub(r"--([a-z][\w-]*)", lambda match: f"{match[1].replace('-', '_')}=", fix)


def _override(match: re.Match[str]) -> str:
    return f"overrides={{'{match[1]}': {_literal(match[2])}}}"


def _setting(match: re.Match[str]) -> str:
    name, value = match[1].replace("-", "_"), _literal(match[2])
    if match[1] in PARAMETERS:
        return f"{name}={value}"
    return f"training={{'{name}': {value}}}"


def _literal(text: str) -> str:
    if text == "none":
        return "None"
    return text if re.fullmatch(r"[\d.e+-]+", text) else f"'{text}'"
