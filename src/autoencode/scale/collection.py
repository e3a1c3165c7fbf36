"""A large folder or archive of images for a trained model, as the client and the workers see it."""

from __future__ import annotations

import os
import posixpath
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from typing import Any

from autoencode.data.read.chunks import FolderChunks, image_chunks
from autoencode.errors import AutoencodeError, RunError
from autoencode.io.store import reading, writing
from autoencode.models.new_data import preprocessing_of
from autoencode.models.run import Run, open_run
from autoencode.scale.parts import CollectionPart
from autoencode.scale.tasks import require_seen

# Images in a part: of small ones, some seconds of work.
PART_SIZE = 10_000


@dataclass(frozen=True)
class Collection:
    """Images and the model that they are for.

    run: the folder of a run.   weights: SHA-256 of its weights.
    source, options: as of `load_data`.
    """

    run: Path
    weights: str
    source: Path
    options: Mapping[str, Any]

    @property
    def plan(self) -> dict[str, Any]:
        """What decides about results."""
        return {
            "weights": self.weights,
            "source": str(self.source),
            "options": dict(self.options),
        }

    def model(self) -> Any:
        """The trained model; this process keeps the last one.

        Raises:
            RunError: the run has been trained anew, or a worker does not see it.
        """
        return _model(self.run, self.weights)

    def images(self, part: CollectionPart | None = None) -> FolderChunks:
        """All images, or those of a part.

        Raises:
            AutoencodeError: the source is no folder or archive of images.
        """
        preprocessing = preprocessing_of(self.model())
        found = image_chunks(
            self.source, preprocessing.shape, preprocessing.raw_shape, self.options
        )
        if found is None:
            raise AutoencodeError(
                f"{self.source} is no folder or archive of images, and only these are used in "
                "parts",
                "Leave out --workers and --cluster.",
            )
        if part is not None:
            found.only = slice(part.start, part.stop)
        return found

    def require_seen(self) -> None:
        """Raises RunError: this worker does not see the run or the images."""
        require_seen(self.run)
        require_seen(self.source)


def collection(run: str | Path, source: str | Path, options: Mapping[str, Any]) -> Collection:
    """The collection at `source` for a run.

    Raises:
        RunError: the run cannot be loaded.
    """
    found = open_run(run)
    found.load_model()  # refuses a run that has none
    return Collection(found.folder.absolute(), _digest(found), Path(source).absolute(), options)


def _digest(run: Run) -> str:
    with reading(run.weights) as file:
        return file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _model(run: Path, weights: str) -> Any:
    require_seen(run)
    found = open_run(run)
    if _digest(found) != weights:
        raise RunError(
            f"The weights of {run} are not those that the parts were begun with",
            "Write into another folder: --out.",
        )
    return found.load_model()


def refuse_same_stems(names: list[str]) -> None:
    """Refuses images that differ in their endings alone: results may have one name.

    Raises:
        AutoencodeError: there are such images.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(posixpath.splitext(name)[0], name)
        if other != name:
            raise AutoencodeError(
                f"{other} and {name} differ in their endings alone, and what is written of them "
                "may have one name",
                "Rename one of them.",
            )


@contextmanager
def moved_into(folder: Path, part: CollectionPart) -> Iterator[Path]:
    """A folder to write into, whose files replace those in `folder` one by one at the end."""
    temporary = folder / f".part-{part.number:05d}-{uuid.uuid4().hex}"
    try:
        with writing(folder):
            yield temporary
            for root, _, names in os.walk(temporary):
                target = folder / Path(root).relative_to(temporary)
                target.mkdir(parents=True, exist_ok=True)
                for name in names:
                    (Path(root) / name).replace(target / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep_parts(folder: Path) -> None:
    """Deletes what workers left that were killed."""
    for path in folder.glob(".part-*-*"):
        shutil.rmtree(path, ignore_errors=True)
