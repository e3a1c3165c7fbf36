"""The headers and pixels of many image files: by threads, or for thousands by processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

import numpy as np
from torch.utils.data import DataLoader, Dataset

from autoencode.data.read.image import Header, decode, header
from autoencode.data.read.layout import ImageFile
from autoencode.data.read.png import MAX_BYTES, PlainPng, pixels_of, plain_png
from autoencode.data.read.resize import resized
from autoencode.data.read.scan import FolderTree, ImageTree
from autoencode.data.records import BadFile
from autoencode.errors import ResourceError
from autoencode.io.files import Unusable, reason
from autoencode.io.progress import Bar, say

# Files and pixels of one task; the pixels of a few tasks may be in memory.
TASK_FILES, TASK_PIXELS = 4096, 2**22
# Fewer files are read faster by threads than processes start.
MANY_FILES = 4_000
WORKERS = min(4, os.cpu_count() or 1)
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
    for batch, found in _in_parallel(_headers, tree, batches, "reading headers"):
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
    for _, found in _in_parallel(work, tree, batches, "decoding images"):
        yield found


def decode_in_chunks(
    tree: ImageTree,
    files: Sequence[ImageFile],
    size: tuple[int, int] | None,
    pixels: int,
    what: str,
) -> Iterator[Decoded]:
    """The images of files that are read once, in order; memory is that of a few tasks.

    size: height and width to which they are resized.   pixels: of one, in all bands.
    """
    n = min(TASK_FILES, max(64, TASK_PIXELS // pixels))
    batches = [files[i : i + n] for i in range(0, len(files), n)]
    convert = _same if size is None else partial(resized, size=size)
    work = partial(_decoded, headers=None, convert=convert)
    for _, found in _in_parallel(work, tree, batches, what):
        yield found


def for_each(
    work: Callable[[ImageFile], R], tree: ImageTree, files: Sequence[ImageFile], what: str
) -> Iterator[tuple[ImageFile, R | BadFile]]:
    """Each file with the result of a function that raises `Unusable`, in order, by threads."""

    def of_batch(tree: ImageTree, batch: Sequence[ImageFile]) -> list[R | BadFile]:
        return _in_threads(work, tree, batch)

    batches = [files[i : i + TASK_FILES] for i in range(0, len(files), TASK_FILES)]
    for batch, found in _in_parallel(of_batch, tree, batches, what, processes=False):
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
    if len(files) < 2 or _in_a_worker():
        return [attempt(file) for file in files]
    pool = ThreadPoolExecutor(WORKERS)
    try:
        return list(pool.map(attempt, files))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_a_worker() -> bool:
    from torch.utils.data import get_worker_info

    return get_worker_info() is not None


class _Tasks(Dataset[R]):
    """The result of each task, as a data set that processes read."""

    def __init__(self, work: Callable[[int], R], n: int) -> None:
        self.work, self.n = work, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> R:
        return self.work(i)


def _can_start_workers(what: str) -> bool:
    """Whether there is room for the pipes and semaphores of the worker processes; says if not.

    Semaphores are files in /dev/shm, which is small in containers and may be full.
    """
    with ExitStack() as queues:
        try:
            for _ in range(2 * WORKERS + 2):  # more than a loader uses
                queue = multiprocessing.get_context("fork").SimpleQueue()
                queues.callback(queue.close)
        except OSError as error:
            why = f"worker processes cannot be started: {reason(error)}"
            say(f"{what} in one process, because {why}")
            return False
    return True


def _in_parallel(
    work: Callable[[ImageTree, Sequence[ImageFile]], R],
    tree: ImageTree,
    batches: Sequence[Sequence[ImageFile]],
    what: str,
    processes: bool = True,
) -> Iterator[tuple[Sequence[ImageFile], R]]:
    """The result of each batch of files, in order.

    Raises:
        ResourceError: a process was killed, which is usual when memory runs out.
    """
    n = sum(map(len, batches))
    # An open archive cannot be shared between processes, because they would share its position.
    many = processes and isinstance(tree, FolderTree) and n >= MANY_FILES and hasattr(os, "fork")
    many = many and _can_start_workers(what)
    results: Iterable[R] = (work(tree, batch) for batch in batches)
    if many:
        # The results are NumPy arrays, which pass through a pipe and need no shared memory.
        results = DataLoader(
            _Tasks(lambda i: work(tree, batches[i]), len(batches)),
            batch_size=None,
            num_workers=WORKERS,
            multiprocessing_context="fork",
            collate_fn=lambda result: result,
        )
    with Bar(what, n) as bar:
        found = iter(results)
        for batch in batches:
            try:
                result = next(found)
            except RuntimeError as error:
                if not many or not re.search("killed|exited", str(error)):
                    raise
                raise ResourceError(
                    f"A process that was {what} was killed, which is usual when memory runs out",
                    "Close other programs, or give fewer images.",
                ) from error
            bar.update(len(batch))
            yield batch, result
