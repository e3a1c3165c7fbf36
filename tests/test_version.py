"""The version of the package."""

from importlib import metadata

import pytest

import autoencode as ae
from autoencode.version import installed_version


def test_the_version_is_the_installed_one():
    assert ae.__version__ == metadata.version("autoencode")


def test_source_files_that_are_not_installed_have_no_version(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("autoencode.version.version", missing)
    assert installed_version() == "0+unknown"
