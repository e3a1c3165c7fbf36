"""The tables of parts: every class with a `name` in the files of a slot is found by itself."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def find_parts(slot: str) -> dict[str, type[Any]]:
    """Finds the parts of a slot: name -> class, for all classes that define `name` themselves.

    slot: the module of the slot, or a package of which all modules are imported.

    Raises:
        ValueError: two parts have the same name.
    """
    package = sys.modules[slot]
    names = [f"{slot}.{module.name}" for module in iter_modules(getattr(package, "__path__", []))]
    parts: dict[str, type[Any]] = {}
    for module in map(import_module, names or [slot]):
        for part in vars(module).values():
            own = isinstance(part, type) and part.__module__ == module.__name__
            if not own or "name" not in vars(part):
                continue
            if part.name in parts:
                raise ValueError(f'Two parts of {slot} have the name "{part.name}"')
            parts[part.name] = part
    return dict(sorted(parts.items()))
