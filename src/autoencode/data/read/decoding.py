"""The headers and pixels of many image files: by threads, or for thousands by processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Generic, TypeVar

import numpy as np

from autoencode.data.raw import BadFile
from autoencode.data.read.image import Header, decode, header
from autoencode.data.read.layout import ImageFile
from autoencode.data.read.png import MAX_BYTES, PlainPng, pixels_of, plain_png
from autoencode.data.read.resize import resized
from autoencode.data.read.scan import FolderTree, ImageTree
from autoencode.data.read.workers import WORKERS, Workers, can_start, in_a_worker
from autoencode.io.files import Unusable
from autoencode.io.progress import Bar

# Files and pixels of one task; the pixels of a few tasks may be in memory.
TASK_FILES, TASK_PIXELS = 4096, 2**22
WAITING_PIXELS = 2**26
# Fewer files are read faster by threads than processes start.
MANY_FILES = 4_000
R = TypeVar("R")


@dataclass(frozen=True)
class Decoded:
    """The images of one task.

    files: those that were decoded.   headers: theirs.   bad: the others.
    images: [H, W] or [C, H, W] each, as one array if all have one shape and type.
    """

    files: list[ImageFile]
    headers: list[Header]
    images: np.ndarray | list[np.ndarray]
    bad: list[BadFile]


def read_headers(
    tree: ImageTree, files: Sequence[ImageFile]
) -> Iterator[tuple[ImageFile, Header | BadFile]]:
    """Each file with its header, in order."""
    batches = [files[i : i + TASK_FILES] for i in range(0, len(files), TASK_FILES)]
    for batch, found in _Parallel(_headers, tree, batches, "reading headers"):
        yield from zip(batch, found, strict=True)


def decode_files(
    tree: ImageTree,
    headers: Mapping[ImageFile, Header],
    convert: Callable[[np.ndarray], np.ndarray],
) -> Iterator[Decoded]:
    """The images of files with known headers, in order.

    convert: applied to each image, or to several of one shape, [n, H, W] or [n, C, H, W].
    """
    batches: list[list[ImageFile]] = [[]]
    pixels = 0
    for file, head in headers.items():
        if batches[-1] and (pixels >= TASK_PIXELS or len(batches[-1]) == TASK_FILES):
            batches.append([])
            pixels = 0
        batches[-1].append(file)
        pixels += head.size[0] * head.size[1] * head.bands
    work = partial(_decoded, headers=headers, convert=convert)
    for _, found in _Parallel(work, tree, batches, "decoding images"):
        yield found


def decode_in_chunks(
    tree: ImageTree,
    files: Sequence[ImageFile],
    size: tuple[int, int] | None,
    pixels: int,
    what: str,
) -> Iterator[Decoded]:
    """The images of files that are read once, in order; memory is that of a few tasks.

    Of many files, the first tasks begin with this call.

    size: height and width to which they are resized.   pixels: of one, in all bands.
    """
    n = min(TASK_FILES, max(64, TASK_PIXELS // pixels))
    batches = [files[i : i + n] for i in range(0, len(files), n)]
    convert = _same if size is None else partial(resized, size=size)
    work = partial(_decoded, headers=None, convert=convert)
    # While torch is loaded, results of some megabytes wait.
    parallel = _Parallel(work, tree, batches, what, ahead=WAITING_PIXELS // (n * pixels))
    return (found for _, found in parallel)


def for_each(
    work: Callable[[ImageFile], R], tree: ImageTree, files: Sequence[ImageFile], what: str
) -> Iterator[tuple[ImageFile, R | BadFile]]:
    """Each file with the result of a function that raises `Unusable`, in order, by threads."""

    def of_batch(tree: ImageTree, batch: Sequence[ImageFile]) -> list[R | BadFile]:
        return _in_threads(work, tree, batch)

    batches = [files[i : i + TASK_FILES] for i in range(0, len(files), TASK_FILES)]
    for batch, found in _Parallel(of_batch, tree, batches, what, processes=False):
        yield from zip(batch, found, strict=True)


def _same(image: np.ndarray) -> np.ndarray:
    return image


def _headers(tree: ImageTree, files: Sequence[ImageFile]) -> list[Header | BadFile]:
    found: list[Header | BadFile | None] = []
    for file in files:
        plain = _plain(tree, file)
        found.append(None if plain is None else _header(*plain[:3]))
    others = [file for file, head in zip(files, found, strict=True) if head is None]
    rest = iter(_in_threads(lambda file: header(tree.open(file.path)), tree, others))
    return [next(rest) if head is None else head for head in found]


def _decoded(
    tree: ImageTree,
    files: Sequence[ImageFile],
    headers: Mapping[ImageFile, Header] | None,
    convert: Callable[[np.ndarray], np.ndarray],
) -> Decoded:
    """The images of a task: the plain ones together, the others one by one."""
    known = {} if headers is None else headers
    heads: dict[ImageFile, Header] = {}
    images: dict[ImageFile, np.ndarray] = {}
    groups: dict[tuple[int, int, int], list[tuple[ImageFile, PlainPng]]] = {}

    def convert_group(shape: tuple[int, int, int]) -> np.ndarray | None:
        group = groups.pop(shape)
        pixels = pixels_of([plain for _, plain in group])
        if pixels is None:
            return None
        pixels = convert(pixels)
        if len(group) == len(files):
            return pixels
        head = _header(*shape)
        for (file, _), image in zip(group, pixels, strict=True):
            images[file], heads[file] = image, head
        return None

    for file in files:
        plain = _plain(tree, file)
        if plain is None:
            continue
        shape = plain[:3]
        # What disagrees with its header is left to the general decoder, which says so.
        if known and known[file] != _header(*shape):
            continue
        group = groups.setdefault(shape, [])
        group.append((file, plain))
        if len(group) * math.prod(shape) > TASK_PIXELS:
            convert_group(shape)
    for shape in [*groups]:
        if (pixels := convert_group(shape)) is not None:
            return Decoded([*files], [_header(*shape)] * len(files), pixels, [])

    def general(file: ImageFile) -> tuple[Header, np.ndarray]:
        head = known.get(file) or header(tree.open(file.path))
        return head, convert(decode(tree.open(file.path), head))

    others = [file for file in files if file not in images]
    bad = []
    for file, found in zip(others, _in_threads(general, tree, others), strict=True):
        if isinstance(found, BadFile):
            bad.append(found)
        else:
            heads[file], images[file] = found
    good = [file for file in files if file in images]
    return Decoded(good, [heads[file] for file in good], [images[file] for file in good], bad)


def _plain(tree: ImageTree, file: ImageFile) -> PlainPng | None:
    """The unpacked file if it is a small and plain PNG, see `plain_png`."""
    if not file.path.lower().endswith(".png"):
        return None
    try:
        content = tree.read(file.path, MAX_BYTES + 1)
    except (Unusable, OSError):
        return None  # the general decoder says why
    return plain_png(content)


@lru_cache
def _header(height: int, width: int, bands: int) -> Header:
    return Header((height, width), bands, np.dtype(np.uint8), False, False)


def _in_threads(
    work: Callable[[ImageFile], R], tree: ImageTree, files: Iterable[ImageFile]
) -> list[R | BadFile]:
    """The results of a function; decoders release Python's global lock."""

    def attempt(file: ImageFile) -> R | BadFile:
        try:
            return work(file)
        except Unusable as error:
            return BadFile(tree.shown(file.path), str(error))

    files = list(files)
    if len(files) < 2 or in_a_worker():
        return [attempt(file) for file in files]
    pool = ThreadPoolExecutor(WORKERS)
    try:
        return list(pool.map(attempt, files))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Parallel(Generic[R]):
    """The result of each batch of files, in order; of many files, processes begin at once."""

    def __init__(
        self,
        work: Callable[[ImageTree, Sequence[ImageFile]], R],
        tree: ImageTree,
        batches: Sequence[Sequence[ImageFile]],
        what: str,
        processes: bool = True,
        ahead: int = 0,
    ) -> None:
        self.batches, self.what = batches, what
        self._work, self._tree = work, tree
        self.n = sum(map(len, batches))
        # An open archive cannot be shared between processes, because they would share its position.
        many = processes and isinstance(tree, FolderTree) and self.n >= MANY_FILES
        self.results: Iterable[R]
        if many and can_start(what):
            self.results = Workers(lambda i: work(tree, batches[i]), len(batches), what, ahead)
        else:
            self.results = map(self._done, batches)

    def _done(self, batch: Sequence[ImageFile]) -> R:
        self._tree.expect([file.path for file in batch])
        return self._work(self._tree, batch)

    def __iter__(self) -> Iterator[tuple[Sequence[ImageFile], R]]:
        with Bar(self.what, self.n) as bar:
            for batch, result in zip(self.batches, self.results, strict=True):
                bar.update(len(batch))
                yield batch, result
