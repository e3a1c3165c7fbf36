"""A folder that many workers fill part by part: what it is of, which parts are there, the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.data.ranges import notices_of_chunks
from autoencode.errors import AutoencodeError
from autoencode.io.store import add_line, read_json, read_lines, write_json, write_text, writing
from autoencode.scale.tasks import require_seen

if TYPE_CHECKING:
    from distributed import Client

# Readers of Parquet pass over files whose names begin with an underscore.
PLAN, LINES, MANIFEST = "_plan.json", "_parts.jsonl", "_manifest.json"


@dataclass(frozen=True)
class CollectionPart:
    """Images `start` to `stop` of the sorted files of a collection."""

    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class PartDone:
    """What a worker has done of a part.

    rows: number of examples.   file: what it has written beside the plan, "" for images by name.
    error: sum of the squared errors, where they are measured.
    notices: what was converted or skipped.
    """

    rows: int
    file: str = ""
    error: float = 0.0
    notices: tuple[str, ...] = ()


@dataclass
class PartsFolder:
    """The folder with its plan; the same plan goes on where it was stopped.

    plan: what decides about the contents.   count: number of images.   size: images in a part.
    """

    path: Path
    plan: Mapping[str, Any]
    count: int
    size: int
    done: dict[int, PartDone] = field(default_factory=dict)

    @property
    def parts(self) -> list[CollectionPart]:
        """All parts, in order."""
        starts = range(0, self.count, self.size)
        return [CollectionPart(n, i, min(i + self.size, self.count)) for n, i in enumerate(starts)]

    @property
    def notices(self) -> tuple[str, ...]:
        """What was converted or skipped, in any part."""
        return notices_of_chunks([each.notices for each in self.in_order()])

    def in_order(self) -> list[PartDone]:
        """What was done of each part, in the order of the parts."""
        return [self.done[number] for number in sorted(self.done)]

    def files(self) -> list[Path]:
        """The files of the parts, in order."""
        return [self.path / each.file for each in self.in_order()]

    def begin(self) -> None:
        """Makes the folder with its plan, or takes what a call of the same plan has done.

        Raises:
            AutoencodeError: it holds something else.
        """
        plan = {**self.plan, "images": self.count, "part_size": self.size}
        plan = json.loads(json.dumps(plan, default=str))
        folder = self.path
        if folder.exists() and not folder.is_dir():
            raise AutoencodeError(f"{folder} is a file, and parts need a folder", "Choose another.")
        if (folder / PLAN).exists():
            found = read_json(folder / PLAN)
            other = [key for key in {**found, **plan} if found.get(key) != plan.get(key)]
            if other:
                raise AutoencodeError(
                    f"{folder} holds parts with another {other[0].replace('_', ' ')}: "
                    f"{found.get(other[0])}, and {plan.get(other[0])} was given",
                    "Give the same to go on, or choose another folder: --out.",
                )
            for number, each in self._recorded():
                if not each.file or (folder / each.file).exists():
                    self.done[number] = each
            # Without a line that was cut off, so that others can follow.
            lines = [self._line(part) for part in self.parts if part.number in self.done]
            write_text(folder / LINES, "".join(f"{json.dumps(line)}\n" for line in lines))
            return
        if folder.is_dir() and any(folder.iterdir()):
            raise AutoencodeError(
                f"{folder} has files of another kind", "Choose another folder: --out."
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / PLAN, plan)

    def _recorded(self) -> Iterator[tuple[int, PartDone]]:
        lines = []
        if (self.path / MANIFEST).exists():
            lines = read_json(self.path / MANIFEST)["parts"]
        if (self.path / LINES).exists():
            lines += read_lines(self.path / LINES)
        for each in lines:
            done = PartDone(each["rows"], each["file"], each["error"], tuple(each["notices"]))
            yield each["part"], done

    def add(self, part: CollectionPart, done: PartDone) -> None:
        """Keeps what was done of a part."""
        self.done[part.number] = done
        add_line(self.path / LINES, self._line(part))

    def end(self, **figures: Any) -> None:
        """Writes the manifest: the parts, and figures of the whole."""
        rows = sum(each.rows for each in self.done.values())
        lines = [self._line(part) for part in self.parts]
        write_json(
            self.path / MANIFEST, {"images": self.count, "rows": rows, **figures, "parts": lines}
        )
        with writing(self.path):
            (self.path / LINES).unlink(missing_ok=True)

    def _line(self, part: CollectionPart) -> dict[str, Any]:
        done = self.done[part.number]
        return {
            "part": part.number,
            "start": part.start,
            "stop": part.stop,
            "rows": done.rows,
            "file": done.file,
            "error": done.error,
            "notices": list(done.notices),
        }


def write_parts(
    folder: PartsFolder,
    write: Callable[[CollectionPart], PartDone],
    what: str,
    workers: int | None,
    cluster: str | Client | None,
) -> None:
    """Has the parts that are missing written by workers.

    write: writes one part in a worker, whole or not at all; it can be pickled.
    what: the verb of the progress bar.   workers, cluster: as of `fit_many`.

    Raises:
        RunError: the cluster cannot be reached or is lost, or a worker does not see the folder.
        ResourceError: a part ends each process that begins it.
        Interrupted: Ctrl-C or SIGTERM; complete parts stay.
    """
    from autoencode.scale.cluster import connected
    from autoencode.scale.jobs import cores
    from autoencode.scale.tasks import run_tasks

    missing = [part for part in folder.parts if part.number not in folder.done]
    if missing:
        with connected(cluster, min(workers or cores(), len(missing))) as client:
            run_tasks(
                client,
                partial(_part, write, folder.path),
                missing,
                folder.add,
                f"{what}, parts",
                len(folder.done),
            )


def _part(
    write: Callable[[CollectionPart], PartDone], folder: Path, part: CollectionPart
) -> PartDone:
    """Writes one part in a worker."""
    require_seen(folder / PLAN)
    return write(part)
