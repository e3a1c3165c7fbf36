"""What was measured of a run, kept in its folder, so that nothing is measured twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation.records import VERSION, Record
from autoencode.io.store import read_json, write_json, writing
from autoencode.models.run import Run

FOLDER = "evaluation"


class MetricsCache:
    """One file for each measure: its records, and of which weights, data and options they are.

    error: what kept a file from being written, which costs no figure; None if nothing did.
    """

    def __init__(self, run: Run) -> None:
        self.folder = run.folder / FOLDER
        self.error: AutoencodeError | None = None
        self._of = {"version": VERSION, **origin(run)}

    def take(self, name: str, options: Mapping[str, Any]) -> tuple[Record, ...] | None:
        """What a measure found with these options; None if it is not kept."""
        kept = self._read(name)
        if kept is None or kept["options"] != dict(options):
            return None
        return _records(kept)

    def put(self, name: str, options: Mapping[str, Any], records: Sequence[Record]) -> None:
        """Keeps what a measure found."""
        found = {"of": self._of, "options": dict(options), "records": _plain(records)}
        try:
            with writing(self.folder):
                self.folder.mkdir(exist_ok=True)
            write_json(self.folder / f"{name}.json", found)
        except AutoencodeError as error:
            self.error = error

    def others(self, names: Sequence[str]) -> Iterator[tuple[str, tuple[Record, ...]]]:
        """What is kept of measures that are not among `names`, with any options."""
        for path in sorted(self.folder.glob("*.json")):
            if path.stem not in names and (kept := self._read(path.stem)) is not None:
                yield path.stem, _records(kept)

    def _read(self, name: str) -> dict[str, Any] | None:
        """The file of a measure, if it is whole and of these weights and data."""
        try:
            kept = read_json(self.folder / f"{name}.json")
        except RunError:  # not there, or damaged: it is measured again
            return None
        return kept if kept.get("of") == self._of else None


def origin(run: Run) -> dict[str, str]:
    """What was found out about a run is of: the SHA-256 of its weights, and its data."""
    with run.weights.open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    return {"weights": weights, "data": run.data["fingerprint"]}


def _records(kept: Mapping[str, Any]) -> tuple[Record, ...]:
    return tuple(Record.from_dict(each) for each in kept["records"])


def _plain(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [record.to_dict() for record in records]
