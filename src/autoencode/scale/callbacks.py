"""Callbacks of the user in other processes, which may not be able to import them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cloudpickle

from autoencode.errors import RunError

IMPORTABLE = (
    "Define it in a module that all workers can import, or train in this process: workers=1 "
    "(--workers 1)."
)


def dumped(**callbacks: Callable[..., Any] | None) -> dict[str, bytes]:
    """Callbacks as bytes: a worker that cannot read a message of Dask never answers it.

    Raises:
        RunError: one of them cannot be serialised.
    """
    found = {}
    for name, callback in callbacks.items():
        if callback is not None:
            try:
                found[name] = cloudpickle.dumps(callback)
            except Exception as error:  # of any kind that an object of the user raises
                what = f"{name} cannot be sent to other processes: {error}"
                raise RunError(what, IMPORTABLE) from error
    return found


def loaded(callbacks: Mapping[str, bytes]) -> dict[str, Callable[..., Any]]:
    """The callbacks in a worker.

    Raises:
        RunError: this process cannot import the module of one of them.
    """
    found = {}
    for name, content in callbacks.items():
        try:
            found[name] = cloudpickle.loads(content)
        except Exception as error:  # of any kind that a module raises
            what = f"The workers cannot load {name}: {type(error).__name__}: {error}"
            raise RunError(what, IMPORTABLE) from error
    return found
