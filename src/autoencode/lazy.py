"""Packages whose names are imported when they are first used, as in scientific-python's SPEC 1."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def attach(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package.

    names: submodule -> the names that the package takes from it. The package imports the same
        names under `TYPE_CHECKING`, so that type checkers and editors know them.
    """
    homes = {name: f"{package}.{module}" for module, listed in names.items() for name in listed}

    def get_attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with _collector_paused():
            return getattr(import_module(homes[name]), name)

    public = sorted(name for name in homes if not name.startswith("_"))
    return get_attribute, lambda: public, public


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the collector of cycles, the import of torch takes a tenth less time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
