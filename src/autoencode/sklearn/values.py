"""Values that go into an estimator and come out of it: parameters, seeds, results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from autoencode.errors import Diverged, RecipeError


def plain(value: Any) -> Any:
    """A value of Python for one of NumPy; tuples for lists and arrays."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def mapping(given: Any, what: str) -> Mapping[str, Any]:
    """A mapping that was given, or an empty one.

    Raises:
        RecipeError: it is something else.
    """
    if given is not None and not isinstance(given, Mapping):
        raise RecipeError(f"{what} is a {type(given).__name__}", f"Give a mapping: {what}={{}}.")
    return given or {}


def seed_of(random_state: Any) -> int:
    """A seed from an integer, a `RandomState`, or of the system; NumPy's global state is not used.

    Raises:
        ValueError: of scikit-learn, for anything else.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def generator_of(random_state: Any) -> torch.Generator:
    """A generator of torch, seeded as by `seed_of`."""
    return torch.Generator().manual_seed(seed_of(random_state))


def finite(
    values: np.ndarray,
    what: str,
    kind: np.dtype,
    fix: str = "Train with a smaller learning rate, lr=.",
) -> np.ndarray:
    """Results in their type.

    Raises:
        Diverged: some are not finite.
    """
    with np.errstate(over="ignore"):
        found = values.astype(kind)
    if not np.isfinite(found).all():
        raise Diverged(f"Some of the {what} are not finite", fix)
    return found
