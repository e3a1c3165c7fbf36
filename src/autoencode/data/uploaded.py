"""New data that arrive as bytes or values in memory, such as the body of a request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from autoencode.data.options import Options
from autoencode.data.prepare import prepare
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.read.folder import read_tree
from autoencode.data.read.image import header, quiet_pillow
from autoencode.data.read.memory import read_memory
from autoencode.data.read.scan import IgnoreRules, ImageTree
from autoencode.data.records import Data
from autoencode.data.storage import MemoryStorage
from autoencode.errors import DataError, ResourceError, is_out_of_memory
from autoencode.io.files import Unusable, shown


class Upload(NamedTuple):
    """The content of an image file.   name: for messages; "" for none."""

    name: str
    content: bytes


def load_uploaded(source: Any, preprocessing: Preprocessing) -> Data:
    """Images as files in memory, arrays or columns for a trained model, as `load_new` gives them.

    Nothing is written to disk.

    source: a list of `Upload`, or an array, a list or a table as `load_new` takes them.

    Raises:
        DataError: the data do not fit the model, or an image is damaged.
        ResourceError: they do not fit into memory.
    """
    images = isinstance(source, list) and bool(source) and isinstance(source[0], Upload)
    shape = preprocessing.shape
    size = (shape[-2], shape[-1]) if len(shape) > 1 and preprocessing.raw_shape != shape else None
    options = _options(size)
    try:
        raw = _decoded(source, options) if images else read_memory(source, options, preprocessing)
        storage = MemoryStorage(reuse=not raw.caller_owned)
        return prepare(raw, options, "array", "", storage, preprocessing, divide=False)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise ResourceError("Memory ran out while reading the data", "Send fewer.") from error
        raise


@lru_cache
def _options(size: tuple[int, int] | None) -> Options:
    """Options that are checked once, because a request is often a single example."""
    return Options(size=size)


def count_pixels(images: Sequence[Upload]) -> int:
    """The number of pixels of all images, by their headers; nothing is decoded.

    Raises:
        DataError: a file is no image, or its header is damaged.
    """
    total = 0
    with quiet_pillow():
        for i, image in enumerate(images):
            try:
                height, width = header(BytesIO(image.content)).size
            except Unusable as error:
                raise _unusable(_named(i, image), str(error)) from error
            total += height * width
    return total


def _decoded(images: Sequence[Upload], options: Options) -> RawData:
    tree = _UploadTree(images)
    try:
        return read_tree(tree, options, MemoryStorage(reuse=True))
    except DataError as error:
        if tree.bad:
            raise _unusable(tree.bad[0].path, tree.bad[0].reason) from error
        raise


def _named(i: int, image: Upload) -> str:
    return f"Image {i}{f' ({shown(image.name)})' if image.name else ''}"


def _unusable(what: str, why: str) -> DataError:
    return DataError(f"{what} cannot be used: {why}", "Repair it, or leave it out.")


class _UploadTree(ImageTree):
    """Images in memory, in their order; their paths are their positions."""

    def __init__(self, images: Sequence[Upload]) -> None:
        super().__init__(Path(), IgnoreRules(None))
        self._files = {f"{i:09d}.png": image for i, image in enumerate(images)}
        self.images = [*self._files]

    def open(self, path: str) -> BytesIO:
        """Open an image."""
        return BytesIO(self._files[path].content)

    def shown(self, path: str = "") -> str:
        """The position and the name of an image."""
        return _named(int(path[:9]), self._files[path]) if path else "the request"
