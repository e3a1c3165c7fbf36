"""A large folder or archive of images for a trained model, as the client and the workers see it."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.data.read.chunks import FolderChunks, Listing, image_chunks
from autoencode.errors import AutoencodeError
from autoencode.io.store import reading
from autoencode.io.urls import is_url
from autoencode.models.new_data import preprocessing_of
from autoencode.models.run import open_run
from autoencode.scale.tasks import require_seen

# Images in a part: of small ones, some seconds of work.
PART_SIZE = 10_000
# The files of a run that its model is made of.
_MODEL = ("run.json", "recipe.json", "weights.safetensors", "critics.safetensors", "network.py")


@dataclass(frozen=True)
class Collection:
    """Images and the model that they are for, which workers need not see.

    run: the contents of the files of the model.   weights: SHA-256 of its weights.
    source, options: as of `load_data`, the path absolute; or the URL of a folder or an archive.
    """

    run: Mapping[str, bytes]
    weights: str
    source: Path | str
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
        """The trained model; this process keeps the last one."""
        if self.weights not in _models:
            _models.clear()
            with tempfile.TemporaryDirectory(prefix="autoencode-") as folder:
                for name, content in self.run.items():
                    (Path(folder) / name).write_bytes(content)
                _models[self.weights] = open_run(folder).load_model()
        return _models[self.weights]

    def images(self, listed: Listing | None = None) -> FolderChunks:
        """All images, or those that are listed.

        Raises:
            AutoencodeError: the source is no folder or archive of images.
        """
        preprocessing = preprocessing_of(self.model())
        shapes = preprocessing.shape, preprocessing.raw_shape
        found = image_chunks(self.source, *shapes, self.options, listed)
        if found is None:
            raise AutoencodeError(
                f"{self.source} is no folder or archive of images, and only these are used in "
                "parts",
                "Leave out --workers and --cluster.",
            )
        return found

    def require_seen(self) -> None:
        """Raises RunError: this worker does not see the images."""
        if isinstance(self.source, Path):
            require_seen(self.source)


_models: dict[str, Any] = {}


def collection(run: str | Path, source: str | Path, options: Mapping[str, Any]) -> Collection:
    """The collection at `source` for a run.

    Raises:
        RunError: the run cannot be loaded.
    """
    found = open_run(run)
    found.load_model()  # refuses a run that has none
    files = {}
    for name in _MODEL:
        if (found.folder / name).exists():
            with reading(found.folder / name) as file:
                files[name] = file.read()
    place = str(source) if is_url(source) else Path(source).absolute()
    return Collection(files, sha256(files[found.weights.name]).hexdigest(), place, options)


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
