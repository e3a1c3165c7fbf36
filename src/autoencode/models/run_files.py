"""Checks of the content of `run.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from autoencode.arguments import Seed, Within, check_value
from autoencode.contract import Width
from autoencode.errors import RecipeError
from autoencode.io.store import FORMAT

_Natural = Annotated[int, Within(0, 10**12)]
# Types of the entries of run.json; a mapping stands for an object with these keys.
_RECORD: Mapping[str, Any] = {
    "format": Annotated[int, Within(1, FORMAT)],
    "sizes": {
        "x": tuple[Width, ...],
        "z": tuple[Width, ...],
        "context": _Natural,
        "n": _Natural,
        "labelled": Annotated[float, Within(0.0, 1.0)] | None,
        "bounded": bool,
    },
    "status": Literal["running", "done", "interrupted", "diverged"],
    "data": {
        "name": str,
        "source": str,
        "options": dict,
        "fingerprint": str,
        "classes": list[str],
        "preprocessing": dict[str, Any] | None,
    },
    "settings": dict,
    "summary": {
        "steps": _Natural,
        "epochs": float,
        "seconds": float,
        "images_per_second": float,
        "device": str,
        "precision": str,
        "compiling_seconds": float,
    },
    "network_sha256": str | None,
    "notices": list[str],
}


# Entries that files of older versions lack.
_OPTIONAL = (
    "labelled",
    "bounded",
    "network_sha256",
    "compiling_seconds",
    "preprocessing",
    "notices",
)


def check_record(record: Mapping[str, Any]) -> None:
    """Checks the content of `run.json`.

    Raises:
        RecipeError: an entry is missing, unknown, or of a wrong type or out of range.
    """
    _check_record(record, _RECORD, "")
    for where, values in (
        ("settings", record["settings"]),
        ("data.options", record["data"]["options"]),
    ):
        check_value(values.get("seed", 0), Seed, f"{where}.seed")


def _check_record(given: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    for name in given:
        if name not in kinds:
            raise RecipeError(f"{where}{name} is unknown")
    for name, kind in kinds.items():
        if name not in given:
            if name in _OPTIONAL:
                continue
            raise RecipeError(f"{where}{name} is missing")
        if isinstance(kind, Mapping):
            check_value(given[name], dict, f"{where}{name}")
            _check_record(given[name], kind, f"{where}{name}.")
        else:
            check_value(given[name], kind, f"{where}{name}")
