"""A folder of images: sub-folders are classes, `train` and `test` above them are parts."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from autoencode.data.gather import Keep
from autoencode.data.options import Options
from autoencode.data.read.image import ENDINGS, Header, decode, header, quiet_pillow
from autoencode.data.read.resize import resized
from autoencode.data.read.scan import Found, Walk, scan
from autoencode.data.records import BadFile, Raw
from autoencode.errors import DataError
from autoencode.io.files import Unusable, opened, shown
from autoencode.io.progress import Bar

BATCH = 32  # files handed to the threads at a time; their pixels may all wait in memory
T = TypeVar("T")
R = TypeVar("R")


def read_folder(folder: Path, options: Options, keep: Keep) -> Raw:
    """All images of a folder, decoded.

    Images that lie directly in the folder have no labels. Images of one depth keep it; a mix of
    depths becomes float32 in [0, 1]; a mix of grey and colour becomes colour.

    Raises:
        DataError: no images, images of several sizes without `size`, or bad files, as `on_bad` and
            `max_bad` say.
        ResourceError: the images do not fit into memory, or not on the disk.
    """
    walk = Walk()
    found = scan(folder, walk)
    looked = len(found) + len(walk.bad)
    if not looked:
        raise DataError(
            f"{shown(folder)} holds no images",
            f"Give a folder with files that end in {', '.join(sorted(ENDINGS))}.",
        )
    _stop_at_bad(walk.bad, looked, folder, options)
    with quiet_pillow():
        heads: list[tuple[Found, Header]] = []
        for file, head in _pooled(lambda f: _try(header, f.path), found, "looking at images"):
            if isinstance(head, BadFile):
                walk.bad.append(head)
            else:
                heads.append((file, head))
        _stop_at_bad(walk.bad, looked, folder, options)
        kept, x, notices = _decoded(heads, walk, looked, folder, options, keep)
    notices = [*_left_out(walk, looked, folder, options), *notices]
    return _assembled(kept, x, walk, looked, notices, _top(heads))


def _try(read: Callable[..., R], path: str, *more: object) -> R | BadFile:
    try:
        return read(path, *more)
    except Unusable as error:
        return BadFile(shown(path), str(error))


def _pooled(work: Callable[[T], R], items: Sequence[T], what: str) -> Iterator[tuple[T, R]]:
    """Each item with its result, in order; decoders work outside of Python's lock."""
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, Bar(what, len(items)) as bar:
        try:
            for start in range(0, len(items), BATCH):
                batch = items[start : start + BATCH]
                for item, result in zip(batch, pool.map(work, batch), strict=True):
                    bar.update(1)
                    yield item, result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def content_of_folder(folder: Path) -> str | None:
    """SHA-256 over parts, classes, names and bytes of all images; None where there are none."""
    found = scan(folder, Walk())
    sha = hashlib.sha256()
    for file, content in _pooled(lambda f: _try(_hash, f.path), found, "looking for changes"):
        told = content.reason if isinstance(content, BadFile) else content
        sha.update(repr((file.part, file.label, os.path.relpath(file.path, folder), told)).encode())
    return sha.hexdigest() if found else None


def _hash(path: str) -> str:
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _decoded(
    heads: list[tuple[Found, Header]],
    walk: Walk,
    looked: int,
    folder: Path,
    options: Options,
    keep: Keep,
) -> tuple[list[Found], np.ndarray, list[str]]:
    """The pixels of all good files as one array, in the shape that fits them all."""
    _any_good(heads, walk, folder)
    size, notices = _one_size([(file, head.size) for file, head in heads], options)
    colour, dtype, told = _one_kind([head for _, head in heads], options)
    shape = (*((3,) if colour else ()), *size)
    kept: list[Found] = []

    def read(item: tuple[Found, Header]) -> np.ndarray | BadFile:
        array = _try(decode, item[0].path, item[1])
        return array if isinstance(array, BadFile) else resized(array, size)

    rows = keep.rows(
        len(heads),
        shape,
        dtype,
        f"{len(heads):,} images of {size[0]}×{size[1]}",
        "Make them smaller with --size, or give fewer.",
    )
    with closing(rows):
        for (file, _), array in _pooled(read, heads, "decoding images"):
            if isinstance(array, BadFile):
                walk.bad.append(array)
                _stop_at_bad(walk.bad, looked, folder, options)
                continue
            image = array if array.dtype == dtype else array / np.float32(_most(array.dtype))
            # Grey spreads over the three channels.
            rows.add(np.broadcast_to(image, (1, *shape)))
            kept.append(file)
        _any_good(kept, walk, folder)
        return kept, rows.done(), notices + told


def _any_good(good: Sequence[object], walk: Walk, folder: Path) -> None:
    if not good:
        raise DataError(
            f"None of the {len(walk.bad):,} files in {shown(folder)} is an image that can be read",
            f"The first: {walk.bad[0].path}, {walk.bad[0].reason}.",
        )


def _one_size(
    sizes: list[tuple[Found, tuple[int, int]]], options: Options
) -> tuple[tuple[int, int], list[str]]:
    counts = Counter(size for _, size in sizes)
    if options.size is not None:
        height, width = options.size
        other = len(sizes) - counts[height, width]
        told = (
            f"{other:,} of {len(sizes):,} images were brought to {height}×{width} (height × "
            "width): scaled to cover it, cropped about the centre."
        )
        return (height, width), [told] if other else []
    if len(counts) == 1:
        return next(iter(counts)), []
    common = counts.most_common()
    (h, w), _ = common[0]
    told = ", ".join(f"{a}×{b} ({n:,})" for (a, b), n in common[:5])
    more = f" and {len(common) - 5} more sizes" if len(common) > 5 else ""
    odd = next(file.path for file, size in sizes if size != (h, w))
    raise DataError(
        f"The images are of {len(common)} sizes (height × width): {told}{more}; "
        f"{shown(odd)} is the first to differ",
        f"Bring them to one: --size {h} {w} (size=({h}, {w})).",
    )


def _one_kind(heads: list[Header], options: Options) -> tuple[bool, np.dtype, list[str]]:
    """Whether the set is in colour, the type that holds it, and what was converted."""
    colours = sum(head.colour for head in heads)
    kinds = Counter(head.dtype for head in heads)
    notices = []
    if 0 < colours < len(heads):
        notices.append(
            f"{colours:,} images are in colour and {len(heads) - colours:,} grey; "
            "all became colour."
        )
    if alpha := sum(head.alpha for head in heads):
        notices.append(f"{alpha:,} images have transparent parts, which were laid on white.")
    if frames := sum(head.frames for head in heads):
        notices.append(f"{frames:,} files hold several frames; the first was taken.")
    if len(kinds) == 1:
        return colours > 0, next(iter(kinds)), notices
    told = ", ".join(f"{kind} ({n:,})" for kind, n in kinds.most_common())
    if options.value_range is not None:
        raise DataError(
            f"A range was given, and the images are of several depths: {told}",
            "Leave --range out, or convert them to one depth.",
        )
    notices.append(f"The images are of several depths, {told}; all became float32.")
    return colours > 0, np.dtype(np.float32), notices


def _most(dtype: np.dtype) -> float:
    """The value that means white."""
    return {"uint8": 255.0, "uint16": 65535.0}.get(dtype.name, 1.0)


def _top(heads: list[tuple[Found, Header]]) -> tuple[float, float] | None:
    """The range that 16-bit images have by their format."""
    kinds = {head.dtype.name for _, head in heads}
    return (0, 65535) if kinds == {"uint16"} else None


def _stop_at_bad(bad: list[BadFile], looked: int, folder: Path, options: Options) -> None:
    if bad and options.on_bad == "fail":
        more = f" (and {len(bad) - 1:,} more of {looked:,} files)" if len(bad) > 1 else ""
        raise DataError(
            f"{bad[0].path} cannot be used: {bad[0].reason}{more}",
            "Mend or remove it, or leave such files out with --on-bad skip; "
            f"`autoencode data check {shown(folder)}` lists them all.",
        )


def _left_out(walk: Walk, looked: int, folder: Path, options: Options) -> list[str]:
    """Notices about files that were not used, unless they are too many."""
    notices = []
    if walk.left_out:
        notices.append(f"{walk.left_out:,} files that are named like no image were passed over.")
    if walk.bad:
        first = "; ".join(f"{bad.path}: {bad.reason}" for bad in walk.bad[:3])
        more = " and so on" if len(walk.bad) > 3 else ""
        told = f"{len(walk.bad):,} of {looked:,} files in {shown(folder)} cannot be used"
        if len(walk.bad) > options.max_bad * looked:
            raise DataError(
                f"{told}, more than the {options.max_bad:.3g} that max_bad allows ({first}{more})",
                "Mend or remove them, or allow more with --max-bad.",
            )
        notices.append(f"{told} and were left out: {first}{more}.")
    return notices


def _assembled(
    kept: list[Found],
    x: np.ndarray,
    walk: Walk,
    looked: int,
    notices: list[str],
    value_range: tuple[float, float] | None,
) -> Raw:
    """Parts with labels; every file stands beside those of its part already."""
    names = sorted({file.label for file in kept}, key=os.fsencode)
    number = {name: i for i, name in enumerate(names)}
    labelled = names != [""]
    if labelled and "" in number:
        raise DataError(
            "One part has class sub-folders and another has none", "Arrange all parts alike."
        )
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    start = 0
    for part, group in groupby(kept, key=lambda file: file.part):
        labels = np.array([number[file.label] for file in group], np.int64)
        parts[part] = x[start : start + len(labels)], labels if labelled else None
        start += len(labels)
    return Raw(
        parts,
        tuple(map(shown, names)) if labelled else (),
        value_range,
        tuple(notices),
        names=[shown(file.path) for file in kept] if "all" in parts else (),
        bad=tuple(walk.bad),
        looked=looked,
    )
