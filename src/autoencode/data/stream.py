"""New data for a trained model, chunk by chunk, so that memory does not grow with their number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoencode.data.load import load_new, origin
from autoencode.data.prepare import prepare
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.ranges import notices_of_chunks
from autoencode.data.read.chunks import FolderChunks, image_chunks
from autoencode.data.records import Data, Split
from autoencode.data.storage import MemoryStorage

# Files that are larger are memory-mapped, not loaded.
MAX_BYTES = 2**28
CHUNK = 4096
_MAX_VALUES = 2**24


class DataStream:
    """All examples of a source, preprocessed for a trained model, in order and in chunks.

    Of a folder or archive of images, only a chunk is in memory. Other sources are loaded as by
    `load_new`: in memory, or memory-mapped from files if they are large.

    Iterate over it for `Data` whose test part is a chunk. It can be iterated several times.

    source, options: as of `load_new`; or images that are already being read.
    total: number of examples, files that will be skipped included; 0 before the first chunk.
    notices: what was converted or skipped, complete at the end; of those that many chunks have,
        the first.

    Raises:
        DataError: as `load_new`; what a single image shows, when it is read.
    """

    def __init__(self, source: Any, preprocessing: Preprocessing, **options: Any) -> None:
        self.source, self.preprocessing, self._given = source, preprocessing, options
        self._chunks = source if isinstance(source, FolderChunks) else None
        if self._chunks is None:
            shapes = preprocessing.shape, preprocessing.raw_shape
            self._chunks = image_chunks(source, *shapes, options)
        self.total = 0
        self.notices: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Data]:
        yield from self._loaded() if self._chunks is None else self._images(self._chunks)

    def _images(self, chunks: FolderChunks) -> Iterator[Data]:
        options = chunks.options
        named = origin(chunks.folder, options)
        said: list[tuple[str, ...]] = []
        for raw in chunks:
            data = prepare(
                raw,
                options,
                *named,
                MemoryStorage(reuse=True),
                self.preprocessing,
                divide=False,
            )
            self.total = chunks.n
            said.append(data.notices)
            yield data
        self.notices = (*chunks.notices, *notices_of_chunks(said))

    def _loaded(self) -> Iterator[Data]:
        options = dict(self._given)
        path = Path(self.source) if isinstance(self.source, str | Path) else None
        if path is not None and path.is_file() and path.stat().st_size > MAX_BYTES:
            options.setdefault("memory", "map")
        data = load_new(self.source, self.preprocessing, **options)
        self.total, self.notices = len(data.test), data.notices
        yield from cut(data)


def cut(data: Data) -> Iterator[Data]:
    """The test part of loaded data in chunks."""
    size = max(1, min(CHUNK, _MAX_VALUES // max(1, math.prod(data.test.x.shape[1:]))))
    for start in range(0, len(data.test), size):
        yield replace(data, test=_part(data.test, start, start + size))


def _part(split: Split, start: int, end: int) -> Split:
    """Some examples of a part."""

    def some(values: Any) -> Any:
        return None if values is None else values[start:end]

    return replace(
        split,
        x=split.x[start:end],
        y=some(split.y),
        context=some(split.context),
        factors=some(split.factors),
        names=some(split.names),
    )
