"""The data that a trained model is used on, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from autoencode.contract import Autoencoder
from autoencode.data import Data, Split
from autoencode.data.stream import DataStream, cut
from autoencode.io.progress import Bar
from autoencode.models.conditions import conditioning
from autoencode.models.inference import in_batches
from autoencode.models.new_data import preprocessing_of

R = TypeVar("R")


class Chunks:
    """All examples of a source for a trained model, preprocessed, in chunks of test parts.

    source: what `load_data` takes; or loaded data, of which the test part is used; or a part.
    options: how the source is read, see `load_data`.
    notices: what was converted or skipped, complete when all chunks are read.

    Raises:
        DataError: the data do not fit the model; of a folder of images, when a chunk is read.
    """

    def __init__(self, model: Autoencoder, source: Any, **options: Any) -> None:
        self.model, self.source = model, source
        self._stream: DataStream | None = None
        if isinstance(source, Split):
            self._whole = Data("array", "", {}, source, source, source, (), "")
            self._whole = replace(self._whole, preprocessing=preprocessing_of(model))
        elif isinstance(source, Data):
            self._whole = source
        else:
            self._stream = DataStream(source, preprocessing_of(model), **options)

    @property
    def notices(self) -> tuple[str, ...]:
        """See the class."""
        return () if self._stream is None else self._stream.notices

    def each(self, what: str) -> Iterator[Data]:
        """The chunks, with a progress bar."""
        if self._stream is None:
            chunks: Iterator[Data] = cut(self._whole)
        else:
            chunks = iter(self._stream)
        with Bar(what, 0) as bar:
            for chunk in chunks:
                bar.total = len(self._whole.test) if self._stream is None else self._stream.total
                yield chunk
                bar.update(len(chunk.test))


def measured(
    model: Any, part: Split, measure: Callable[[Tensor, Tensor | None], R], batch_size: int = 2048
) -> list[R]:
    """Calls a function on batches of a part, see `in_batches`; labels or vectors included."""
    # The bar is that of the chunks.
    return in_batches(model, part.x, measure, "", batch_size, conditioning(model.recipe, part))


def names_of(part: Split, start: int) -> list[str]:
    """The names of the examples of a chunk: their files or row identifiers, else their positions.

    start: the position of the first one.
    """
    if part.names is not None:
        return [str(name) for name in part.names]
    return [str(start + i) for i in range(len(part))]


def labels_of(data: Data) -> list[str | None] | None:
    """The names of the classes of the test examples, None for unknown ones; None without labels."""
    if data.test.y is None:
        return None
    return class_names(data.test.y.tolist(), data.classes)


def class_names(labels: Sequence[int], classes: Sequence[str]) -> list[str | None]:
    """The names of classes by their positions; None for −1."""
    known = classes or [str(i) for i in range(max(labels, default=0) + 1)]
    return [known[y] if y >= 0 else None for y in labels]


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Results of batches as one tensor on the CPU."""
    return torch.cat([part.float().cpu() for part in parts])
