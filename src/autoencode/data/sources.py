"""`load_data`: a name, a path or an array in; checked and divided data out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data.catalogue import SOURCES
from autoencode.data.cifar import read_archive, read_batches
from autoencode.data.files import open_regular, reason, shown
from autoencode.data.idx import GZIP, is_idx, read_idx, read_idx_file, read_idx_folder
from autoencode.data.inmemory import read_memory
from autoencode.data.named import read_named
from autoencode.data.npy import MAGIC, read_npy, read_npz
from autoencode.data.options import Options
from autoencode.data.prepare import prepare
from autoencode.data.records import Data, Raw, scaled
from autoencode.errors import DataError, ResourceError, did_you_mean, is_out_of_memory

_KINDS = "a folder of images, .npy, .npz or IDX (.gz or not)"


def load_data(
    source: Any,
    *,
    labels: Any = None,
    vectors: Any = None,
    labelled: int | None = None,
    value_range: Sequence[float] | None = None,
    size: Sequence[int] | None = None,
    on_bad: str = "fail",
    max_bad: float = 0.01,
    validation: int | float | None = None,
    seed: int = 0,
    binarise: str | None = None,
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

    Raises:
        DataError: the data cannot be used as they are; says what to do.
        ResourceError: they do not fit into memory, or the disk is full.
    """
    options = Options(
        labels, vectors, labelled, value_range, size, on_bad, max_bad, validation, seed, binarise
    )
    try:
        raw, name, origin = read(source, options)
        return prepare(raw, options, name, origin)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise ResourceError("Memory ran out while loading the data", "Give fewer.") from error
        raise


def read(source: Any, options: Options) -> tuple[Raw, str, str]:
    """What a source holds, its name, and where it can be had again ("" if nowhere).

    Raises:
        DataError: no such source, or it cannot be read.
    """
    if not isinstance(source, str | Path):
        raw, name, origin = read_memory(source), "array", ""
    elif isinstance(source, str) and source in SOURCES:
        raw, name, origin = read_named(SOURCES[source]), source, source
    else:
        path = _existing(source)
        raw, name, origin = _read_path(path, options), _stem(path), str(path)
    for what in ("labels", "vectors"):
        given = getattr(options, what)
        if given is None:
            continue
        if list(raw.parts) != ["all"]:
            raise DataError(
                f"{what} were given, and the source is divided into {', '.join(raw.parts)}",
                f"{what.capitalize()} go with a source in one piece; leave them out.",
            )
        named = isinstance(given, str | Path)
        found = _read_array(_existing(Path(given))) if named else given
        raw = _with_labels(raw, found) if what == "labels" else replace(raw, vectors=found)
        origin = origin if named else ""
    return raw, name, origin


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


def _read_path(path: Path, options: Options) -> Raw:
    if path.is_dir():
        try:
            raw = read_idx_folder(path) or read_batches(path)
        except OSError as error:
            raise DataError(f"{shown(path)} cannot be read: {reason(error)}") from error
        if raw is not None:
            return raw
        from autoencode.data.folder import read_folder

        return read_folder(path, options)
    with open_regular(path) as file:
        head = file.read(6)
    if path.suffix.lower() == ".npy" or head == MAGIC:
        return Raw({"all": (read_npy(path), None)})
    if head[:2] == b"PK" or path.suffix.lower() == ".npz":
        return read_npz(path)
    if path.name.lower().endswith((".tar.gz", ".tgz")):
        return read_archive(path)
    if head[:2] == GZIP or is_idx(head[:4]):
        return read_idx_file(path)
    what = "is empty" if not head else f"is of no kind that can be read; that are {_KINDS}"
    raise DataError(f"{shown(path)} {what}", "For images, give the folder that holds them.")


def _read_array(path: Path) -> np.ndarray:
    with open_regular(path) as file:
        head = file.read(6)
    return read_npy(path) if head == MAGIC or path.suffix == ".npy" else read_idx(path)


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
