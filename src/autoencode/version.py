"""The version of this package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The version that is installed; "0+unknown" for source files that are imported as they lie."""
    try:
        return version("autoencode")
    except PackageNotFoundError:
        return "0+unknown"


__version__ = installed_version()
