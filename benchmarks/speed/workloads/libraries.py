"""Names and versions of the other libraries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NAMES = ("torch", "pythae", "lightning", "keras")


def versions() -> str:
    """Names and versions of the libraries; "no NAME" for one that is not installed."""
    versions = []
    for name in NAMES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    return ", ".join(versions)
