"""`load_data`: a name, a path or an array in; checked and divided data out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data.gather import Keep, Memory
from autoencode.data.large.stored import add_array, alone, content_of, making, place, store, stored
from autoencode.data.named.arrays import read_named
from autoencode.data.named.catalogue import SOURCES
from autoencode.data.options import Binarise, MemoryMode, OnBad, Options
from autoencode.data.prepare import prepare
from autoencode.data.read.cifar import read_archive, read_batches
from autoencode.data.read.idx import GZIP, is_idx, read_idx, read_idx_file, read_idx_folder
from autoencode.data.read.memory import read_memory
from autoencode.data.read.npy import MAGIC, map_npy, read_npy, read_npz
from autoencode.data.records import Data, Raw, scaled
from autoencode.errors import DataError, ResourceError, did_you_mean, is_out_of_memory
from autoencode.io.files import open_regular, reason, shown
from autoencode.io.memory import TooLarge

_KINDS = "a folder of images, .npy, .npz or IDX (.gz or not)"


def load_data(
    source: Any,
    *,
    labels: Any = None,
    vectors: Any = None,
    labelled: int | None = None,
    value_range: Sequence[float] | None = None,
    size: Sequence[int] | None = None,
    on_bad: OnBad = "fail",
    max_bad: float = 0.01,
    validation: int | float | None = None,
    seed: int = 0,
    binarise: Binarise | None = None,
    memory: MemoryMode = "auto",
) -> Data:
    """Load data, check them, and divide them into training, validation and test.

    The source's own test part is kept; else a fifth is drawn. Validation is drawn from the
    training part: a tenth, at most 2,500 examples. Both are drawn by `seed`, in the proportions of
    the classes.

    source: a name (see `SOURCES`); a path to a folder of images whose sub-folders are the classes,
            to an .npy, .npz or IDX file, or to a folder with MNIST's four IDX files; an array or
            tensor, (x, y), ((x_train, y_train), (x_test, y_test)), a mapping of arrays, or a
            `torch.utils.data.Dataset` that yields x, (x, y) or mappings. A name goes before a
            folder of that name: write ./mnist for the folder.
    labels: labels for a source without any, [N], or a path to them (.npy or IDX).
    vectors: numbers beside each example that a model can be conditioned on, [N, C], or a path to
            them (.npy); bring them to a common scale.
    labelled: how many training examples keep their label, drawn in the proportions of the classes;
            the label of all others becomes −1, for models that learn from few labels.
    value_range: lowest and highest value that the data can have; they are moved to [0, 1]. Without
            it, values must be uint8 or lie in [0, 1].
    size: (height, width) to bring images to; without it they must be of one size.
    on_bad: "fail" at an unusable file, or "skip" it.
    max_bad: the fraction of files that may be skipped.
    validation: number of validation examples, or their fraction of the training part.
    seed: of the division, of the labels kept and of the bits.
    binarise: every pixel black or white, white with the probability that its grey says: "static"
            draws once, "dynamic" draws the training examples anew at each look; validation and
            test are drawn once. None leaves the greys. Likelihoods compare only within one kind.
    memory: "auto" holds the data in memory where half of what is free suffices. Else, and always
            with "map", arrays, .npy files and folders of images are brought into files in the
            cache folder, once, from which the system reads what is looked at; nothing but the
            speed of a disk is different.

    Raises:
        DataError: the data cannot be used as they are; says what to do.
        ResourceError: they do not fit into memory, or the disk is full.
    """
    options = Options(
        labels,
        vectors,
        labelled,
        value_range,
        size,
        on_bad,
        max_bad,
        validation,
        seed,
        binarise,
        memory,
    )
    try:
        data = _in_memory(source, options) if memory == "auto" else None
        return data or _mapped(source, options)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise ResourceError("Memory ran out while loading the data", "Give fewer.") from error
        raise


def _in_memory(source: Any, options: Options) -> Data | None:
    """The data, or None where they are too large."""
    try:
        raw = read(source, options, Memory(owned=True))
        return prepare(raw, options, *origin(source, options), Memory(owned=not raw.borrowed))
    except TooLarge:
        return None


def _mapped(source: Any, options: Options) -> Data:
    """The data in files, which are made when they are not there yet."""
    named, raw = origin(source, options), None
    content = _content(source, options)
    if content is None:
        raw = read(source, options, Memory(owned=True))
        content = content_of(raw)
    folder = place(content, options)
    if (data := stored(folder, options, *named)) is not None:
        return data
    with alone(folder.parent):
        if stored(folder, options, *named) is None:
            with making(folder) as files:
                raw = raw or read(source, options, files)
                store(files, prepare(raw, options, *named, files))
    data = stored(folder, options, *named)
    assert data is not None  # nobody removes what was made a moment ago
    return data


def _content(source: Any, options: Options) -> str | None:
    """A hash of what a path holds, known before it is decoded; None where it is to be read."""
    if not isinstance(source, str | Path) or source in SOURCES:
        return None
    path = _existing(source)
    if path.is_dir():
        from autoencode.data.read.folder import content_of_folder

        content = None if _folder_of_arrays(path) else content_of_folder(path)
    else:
        with open_regular(path) as file:
            npy = _is_npy(path, file)
            file.seek(0)
            content = hashlib.file_digest(file, "sha256").hexdigest() if npy else None
    if content is None:
        return None
    sha = hashlib.sha256(content.encode())
    for what, given in _given(options).items():
        add_array(sha, what, given)
    return sha.hexdigest()


def origin(source: Any, options: Options) -> tuple[str, str]:
    """The name of the data, and where they can be had again ("" if nowhere)."""
    if not isinstance(source, str | Path):
        return "array", ""
    again = all(
        given is None or isinstance(given, str | Path)
        for given in (options.labels, options.vectors)
    )
    if isinstance(source, str) and source in SOURCES:
        return source, source if again else ""
    path = _existing(source)
    return _stem(path), str(path) if again else ""


def read(source: Any, options: Options, keep: Keep) -> Raw:
    """What a source holds; `keep` has room for what must be decoded.

    Raises:
        DataError: no such source, or it cannot be read.
    """
    if not isinstance(source, str | Path):
        raw = read_memory(source)
    elif isinstance(source, str) and source in SOURCES:
        raw = read_named(SOURCES[source])
    else:
        raw = _read_path(_existing(source), options, keep)
    for what, found in _given(options).items():
        if list(raw.parts) != ["all"]:
            raise DataError(
                f"{what} were given, and the source is divided into {', '.join(raw.parts)}",
                f"{what.capitalize()} go with a source in one piece; leave them out.",
            )
        raw = _with_labels(raw, found) if what == "labels" else replace(raw, vectors=found)
    return raw


def _given(options: Options) -> dict[str, Any]:
    """The labels and vectors that are to stand beside the examples, where there are any."""
    given = {"labels": options.labels, "vectors": options.vectors}
    return {
        what: _read_array(_existing(Path(each))) if isinstance(each, str | Path) else each
        for what, each in given.items()
        if each is not None
    }


def _with_labels(raw: Raw, labels: Any) -> Raw:
    x, own = raw.parts["all"]
    told = () if own is None else ("The labels given replace those of the source.",)
    return replace(raw, parts={"all": (x, labels)}, classes=(), notices=(*raw.notices, *told))


def _existing(source: str | Path) -> Path:
    """The path that was meant, absolute."""
    if not str(source):
        raise DataError("The name of the data is empty", "Give a name or a path.")
    try:
        path = Path(os.path.abspath(Path(source).expanduser()))
        if os.path.lexists(path):
            return path
    except (ValueError, RuntimeError) as error:  # a zero byte, an unknown home
        raise DataError(f"{shown(str(source))} is no path: {error}") from error
    text = str(source)
    if isinstance(source, Path) or os.sep in text or Path(text).suffix or text[0] == "~":
        raise DataError(f"{shown(text)} does not exist", "Give the path of a file or a folder.")
    raise DataError(
        f'There is no data set and no path "{shown(text)}"', did_you_mean(text, SOURCES)
    )


def _read_path(path: Path, options: Options, keep: Keep) -> Raw:
    if path.is_dir():
        raw = _folder_of_arrays(path)
        if raw is not None:
            return raw
        from autoencode.data.read.folder import read_folder

        return read_folder(path, options, keep)
    with open_regular(path) as file:
        npy = _is_npy(path, file)
        file.seek(0)
        head = file.read(6)
    if npy:
        return Raw({"all": (read_npy(path) if isinstance(keep, Memory) else map_npy(path), None)})
    if head[:2] == b"PK" or path.suffix.lower() == ".npz":
        return read_npz(path)
    if path.name.lower().endswith((".tar.gz", ".tgz")):
        return read_archive(path)
    if head[:2] == GZIP or is_idx(head[:4]):
        return read_idx_file(path)
    what = "is empty" if not head else f"is of no kind that can be read; that are {_KINDS}"
    raise DataError(f"{shown(path)} {what}", "For images, give the folder that holds them.")


def _folder_of_arrays(path: Path) -> Raw | None:
    """The set in a folder with files of many images each; None for any other folder."""
    try:
        return read_idx_folder(path) or read_batches(path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {reason(error)}") from error


def _is_npy(path: Path, file: IO[bytes]) -> bool:
    return path.suffix.lower() == ".npy" or file.read(len(MAGIC)) == MAGIC


def _read_array(path: Path) -> np.ndarray:
    with open_regular(path) as file:
        npy = _is_npy(path, file)
    return read_npy(path) if npy else read_idx(path)


def _stem(path: Path) -> str:
    """The name without its last ending, and without .gz."""
    return shown(Path(path.name.removesuffix(".gz")).stem or path.name)


@lru_cache(maxsize=1)
def _remembered(name: str) -> Data:
    return load_data(name)


def sample_train(
    N: int,
    return_labels: bool = False,
    source: Any = "mnist",
    seed: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """N random training images, float32 in [0, 1], [N, *X]; with `return_labels` (x, y).

    Without replacement. Every call gives others, as a training loop wants; with a `seed` always the
    same. A named set is kept in memory between calls.

    Raises:
        DataError: N is not between 1 and the number of training images, or there are no labels.
    """
    known = isinstance(source, str) and source in SOURCES
    train = (_remembered(source) if known else load_data(source)).train
    if not 1 <= N <= len(train):
        raise DataError(f"{N} images are asked for, of {len(train):,}", "Give N in this range.")
    if return_labels and train.y is None:
        raise DataError("Labels are asked for, and the data have none", "Leave them out.")
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(train))[:N])
    x = scaled(train.x[chosen])
    return (x, train.y[chosen]) if return_labels and train.y is not None else x
