"""A folder that many workers fill part by part: what it is of, which parts are there, the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from autoencode.data.ranges import notices_of_chunks
from autoencode.data.read.chunks import Listing
from autoencode.data.read.layout import ImageFile
from autoencode.errors import AutoencodeError
from autoencode.scale.folders import OutFolder
from autoencode.scale.tasks import require_seen

if TYPE_CHECKING:
    from distributed import Client

# Readers of Parquet pass over files whose names begin with an underscore.
PLAN, MANIFEST = "_plan.json", "_manifest.json"
# Files with the images of each part, while it is not written.
IMAGES = "_images-"


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

    plan: what decides about the contents.   listed: all images.   size: images in a part.
    """

    out: OutFolder
    plan: Mapping[str, Any]
    listed: Listing
    size: int
    done: dict[int, PartDone] = field(default_factory=dict)

    @property
    def parts(self) -> list[CollectionPart]:
        """All parts, in order."""
        starts = range(0, self.count, self.size)
        return [CollectionPart(n, i, min(i + self.size, self.count)) for n, i in enumerate(starts)]

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.listed.files)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was converted or skipped, of the whole and in any part."""
        of_parts = notices_of_chunks([each.notices for each in self.in_order()])
        return (*self.listed.notices, *of_parts)

    def in_order(self) -> list[PartDone]:
        """What was done of each part, in the order of the parts."""
        return [self.done[number] for number in sorted(self.done)]

    def files(self) -> list[str]:
        """The names of the files of the parts, in order."""
        return [each.file for each in self.in_order()]

    def begin(self) -> None:
        """Makes the folder with its plan, or takes what a call of the same plan has done.

        Raises:
            AutoencodeError: it holds something else.
        """
        names = "\n".join(file.path for file in self.listed.files).encode(errors="surrogateescape")
        plan = {**self.plan, "images": self.count, "part_size": self.size}
        plan = json.loads(json.dumps({**plan, "names": sha256(names).hexdigest()}, default=str))
        folder = self.out
        if folder.has(PLAN):
            found = folder.read(PLAN)
            other = [key for key in {**found, **plan} if found.get(key) != plan.get(key)]
            if other and other[0] in ("images", "names"):
                raise AutoencodeError(
                    f"{folder} holds parts of other images: since it was begun, files were added, "
                    "deleted or renamed",
                    "Write into another folder: --out.",
                )
            if other:
                raise AutoencodeError(
                    f"{folder} holds parts with another {other[0].replace('_', ' ')}: "
                    f"{found.get(other[0])}, and {plan.get(other[0])} was given",
                    "Give the same to go on, or choose another folder: --out.",
                )
            there = folder.names()
            for number, each in self._recorded():
                if not each.file or each.file in there:
                    self.done[number] = each
            return
        if folder.names():
            raise AutoencodeError(
                f"{folder} has files of another kind", "Choose another folder: --out."
            )
        folder.create()
        folder.write(PLAN, plan)

    def _recorded(self) -> Iterator[tuple[int, PartDone]]:
        lines = self.out.read(MANIFEST)["parts"] if self.out.has(MANIFEST) else []
        for each in [*lines, *self.out.records()]:
            done = PartDone(each["rows"], each["file"], each["error"], tuple(each["notices"]))
            yield each["part"], done

    def add(self, part: CollectionPart, done: PartDone) -> None:
        """Keeps what was done of a part."""
        self.done[part.number] = done
        self.out.record(part.number, self._line(part))

    def end(self, **figures: Any) -> None:
        """Writes the manifest: the parts, and figures of the whole."""
        rows = sum(each.rows for each in self.done.values())
        lines = [self._line(part) for part in self.parts]
        self.out.write(MANIFEST, {"images": self.count, "rows": rows, **figures, "parts": lines})
        self.out.forget_records()
        self.out.delete([name for name in self.out.names() if name.startswith(IMAGES)])
        self.out.sweep()

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
    write: Callable[[CollectionPart, Listing], PartDone],
    what: str,
    workers: int | None,
    cluster: str | Client | None,
) -> None:
    """Has the parts that are missing written by workers.

    write: writes one part with its images in a worker, whole or not at all; it can be pickled.
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
            # A worker reads the names of its images, and does not look for all of them.
            for part in missing:
                folder.out.write(
                    f"{IMAGES}{part.number:05d}.json",
                    {
                        "files": folder.listed.files[part.start : part.stop],
                        "names": folder.listed.names,
                        "examined": folder.listed.examined,
                    },
                )
            run_tasks(
                client,
                partial(_part, write, folder.out),
                missing,
                folder.add,
                f"{what}, parts",
                len(folder.done),
            )


def _part(
    write: Callable[[CollectionPart, Listing], PartDone], out: OutFolder, part: CollectionPart
) -> PartDone:
    """Writes one part in a worker."""
    require_seen(str(out), out.has(PLAN))
    listed = out.read(f"{IMAGES}{part.number:05d}.json")
    files = [ImageFile(*file) for file in listed["files"]]
    return write(part, Listing(files, listed["names"], listed["examined"]))
