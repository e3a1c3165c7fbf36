"""The metrics of a run, cached in its folder, so that nothing is measured twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoencode.arguments import check_value
from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation.records import VERSION, Record
from autoencode.io.folders import open_folder
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models import critics
from autoencode.models.critics import file_sha256
from autoencode.models.run import Run

FOLDER, SUFFIX = "evaluation", ".safetensors"
# Measures of the data alone, which other weights do not change.
OF_DATA = ("pca",)


class MetricsCache:
    """One file for each measure: its records, the values of single examples, and a checksum.

    A file holds the SHA-256 of the weights, the fingerprint of the data and the options that it was
    measured with; that of a measure of the data alone, in `OF_DATA`, does not hold the weights. A
    file of other weights or data, a damaged one, or one of wrong content counts as missing.

    error: why the last file could not be written; None if every file was.
    """

    def __init__(self, run: Run) -> None:
        self.folder = run.folder / FOLDER
        self._critics = run.folder / critics.FILE
        self.error: AutoencodeError | None = None
        self._origin = {"version": VERSION, **origin(run)}

    def take(self, name: str, options: Mapping[str, Any]) -> tuple[Record, ...] | None:
        """The records of a measure with these options; None if they are not cached."""
        found = self._read(name)
        return found[1] if found is not None and found[0] == dict(options) else None

    def put(self, name: str, options: Mapping[str, Any], records: Sequence[Record]) -> None:
        """Writes the records of a measure."""
        tensors = {r.name: r.per_example for r in records if r.per_example is not None}
        plain = [record.to_dict() for record in records]
        try:
            meta = {"of": self._of(name), "options": dict(options), "records": plain}
            folder = open_folder(self.folder.parent, FOLDER)
            write_tensors(folder / f"{name}{SUFFIX}", tensors, meta)
        except AutoencodeError as error:
            self.error = error

    def others(self, names: Sequence[str]) -> Iterator[tuple[str, tuple[Record, ...]]]:
        """The records of the measures that are not among `names`, with any options."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.stem not in names and (found := self._read(path.stem)) is not None:
                yield path.stem, found[1]

    def _of(self, name: str) -> dict[str, Any]:
        """What the records of a measure depend on."""
        kept = self._origin
        if name in OF_DATA:
            return {k: v for k, v in kept.items() if k != "weights"}
        if name == "objective" and self._critics.exists():
            return {**kept, "critics": file_sha256(self._critics)}
        return kept

    def _read(self, name: str) -> tuple[dict[str, Any], tuple[Record, ...]] | None:
        """Options and records of a measure, if its file is intact and of these weights and data."""
        try:
            tensors, meta = read_tensors(self.folder / f"{name}{SUFFIX}")
            if meta.get("of") != self._of(name):
                return None
            given, options = meta.get("records"), meta.get("options")
            check_value(given, list[dict[str, Any]], "records", RunError)
            check_value(options, dict, "options", RunError)
            assert isinstance(given, list)
            assert isinstance(options, dict)
            records = tuple(
                Record.from_dict(each, tensors.get(str(each.get("name")))) for each in given
            )
        except AutoencodeError:
            return None
        names = {record.name for record in records}
        if len(names) != len(records) or not tensors.keys() <= names:
            return None
        return options, records


def origin(run: Run) -> dict[str, str]:
    """The SHA-256 of a run's weights, and the fingerprint of its data.

    Raises:
        RunError, ResourceError: the weights cannot be read.
    """
    return {"weights": file_sha256(run.weights), "data": run.data["fingerprint"]}
