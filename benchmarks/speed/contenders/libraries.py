"""What the other libraries are."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NAMES = ("torch", "pythae", "lightning", "keras")


def versions() -> str:
    """Names and versions of those that are installed."""
    found = []
    for name in NAMES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
