"""`load_data`: checked data in three parts from a name, a path or an array."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from autoencode.data.large import (
    content_hash,
    hash_array,
    load_prepared,
    prepared_folder,
    save_prepared,
    temporary_storage,
)
from autoencode.data.named.arrays import read_named
from autoencode.data.named.catalogue import SOURCES
from autoencode.data.options import Options, options_of
from autoencode.data.prepare import prepare
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.read.archive import is_image_archive, is_tar
from autoencode.data.read.cifar import read_archive, read_batches
from autoencode.data.read.folder import hash_folder, is_image_file, read_folder
from autoencode.data.read.idx import is_idx, read_idx_file, read_idx_folder
from autoencode.data.read.labels import is_label_table, read_array, with_labels
from autoencode.data.read.memory import read_memory
from autoencode.data.read.npy import MAGIC, map_npy, read_npy, read_npz
from autoencode.data.read.paths import existing
from autoencode.data.read.table import read_table
from autoencode.data.read.table_file import folder_tables, is_table_file, read_table_file
from autoencode.data.records import Data, scaled
from autoencode.data.storage import MemoryStorage, Storage
from autoencode.errors import DataError, ResourceError, is_out_of_memory
from autoencode.io.files import GZIP, open_regular, reason, shown
from autoencode.io.memory import TooLarge
from autoencode.io.urls import is_url

_KINDS = (
    "a folder or archive of images (.zip, .tar), .csv, .parquet, .npy, .npz or IDX (.gz or not)"
)
# Options that only tables have.
_TABLE_OPTIONS = ("label", "id", "columns", "categorical")


def load_data(source: Any, *, preprocessing: Preprocessing | None = None, **options: Any) -> Data:
    """Load data, check them, and divide them into training, validation and test.

    The test part is the source's own, or a random fifth if the source has none. The validation
    part is a random tenth of the training part, at most 2,500 examples. Both are drawn with `seed`
    and stratified by class.

    source: a name (see `SOURCES`); a path to a folder or a .zip archive of images whose sub-folders
        are the classes, to a table (.csv, .parquet), to an .npy, .npz or IDX file, or to a folder
        with MNIST's four IDX files; an array or tensor, a DataFrame, (x, y),
        ((x_train, y_train), (x_test, y_test)), a mapping of arrays, or a
        `torch.utils.data.Dataset` that yields x, (x, y) or mappings. A name has priority over a
        folder of that name: write ./mnist for the folder.
    preprocessing: that of a trained model, `model.preprocessing`, which is applied instead of one
        that is fitted to these data.
    options:
        labels: labels for a source without any, [N], or a path to them (.npy, IDX, or a .csv with
            the columns file and label).   no_labels: ignore all labels.
        vectors: a vector for each example on which a model can be conditioned, [N, C], or a path
            to them (.npy); their columns should have a common scale.
        label, id, columns, categorical: of a table, the column of the labels, the column that
            names the rows, the columns that the model learns, and the numeric ones that are
            categories.
        train_dir, test_dir, ignore: of a folder, the sub-folders of the parts, and patterns of what
            is left out.
        channels_last: whether arrays of images have the channels last; None decides by the shape.
        value_range: lowest and highest value that the data can have, scaled to 0 and 1. Without it,
            values must be uint8 or in [0, 1]. "auto" takes percentiles of the training part, with
            `per_channel` of each channel.
        scale: of each column of a table or of vectors: "standard", "robust", "minmax" or "none".
        labelled: number of training examples that keep their label, stratified by class; all other
            labels become −1, for models that learn from few labels.
        normal: names of the classes in the training and validation part; the others are kept for
            testing, for the detection of anomalies.
        size: (height, width) to which images are resized; without it all must have one size.
        on_bad: "fail" at an unusable file, or "skip" it.   max_bad: the share that may be skipped.
        validation: number of validation examples, or their fraction of the training part.
        group: a column of a table, or a regular expression on file names; examples with equal
            values stay in one part.
        seed: of the division into parts, of the labels that stay and of the binarisation.
        binarise: draw every pixel as 0 or 1, with its brightness as the probability of 1: "static"
            draws once, "dynamic" draws new bits for every training batch; validation and test are
            drawn once. None leaves the values. Likelihoods can be compared only within one method.
        memory: "auto" loads the data into memory if they need less than half of the free memory.
            If they need more, and always with "map", they are written to files in the cache folder,
            once, and memory-mapped; results are the same, and speed depends on the disk.

    Raises:
        DataError: the data cannot be used as they are; the message says what to do.
        ResourceError: they do not fit into memory, or the disk is full.

    >>> data = load_data("digits")
    >>> data.shape, len(data.test), data.classes[:3]
    ((8, 8), 359, ('0', '1', '2'))
    """
    return _loaded(source, options_of(options), preprocessing, divide=True)


def load_new(source: Any, preprocessing: Preprocessing, **options: Any) -> Data:
    """Load new data for a trained model: all examples, preprocessed as in its training.

    The result has all examples in its test part, also of a source with parts of its own; training
    and validation part are empty. Labels are matched by name to the classes of the model.

    source, options: as of `load_data`; how the data are scaled and resized comes from
        `preprocessing`.

    Raises:
        DataError: the data do not fit the model, or have classes that it does not know.
        ResourceError: they do not fit into memory, or the disk is full.
    """
    shape = preprocessing.shape
    if len(shape) > 1 and preprocessing.raw_shape != shape:
        options.setdefault("size", shape[-2:])
    return _loaded(source, options_of(options), preprocessing, divide=False)


def preprocess(data: Any, preprocessing: Preprocessing, **options: Any) -> Tensor:
    """Raw examples as a model receives them: float32, [N, *X], on the CPU.

    data, options: as of `load_new`.   preprocessing: that of a model, `model.preprocessing`.

    >>> import numpy as np
    >>> raw = np.full((2, 3), 7.0)
    >>> preprocess(raw, Preprocessing((3,), high=14.0, range_source="given"))[0]
    tensor([0.5000, 0.5000, 0.5000])

    Raises:
        DataError: as `load_new`.
    """
    return scaled(load_new(data, preprocessing, **options).test.x)


def _loaded(source: Any, options: Options, given: Preprocessing | None, *, divide: bool) -> Data:
    try:
        data = _in_memory(source, options, given, divide) if options.memory == "auto" else None
        return data or _mapped(source, options, given, divide)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise ResourceError("Memory ran out while loading the data", "Give fewer.") from error
        raise


def _in_memory(
    source: Any, options: Options, given: Preprocessing | None, divide: bool
) -> Data | None:
    """The data, or None if they are too large."""
    try:
        raw = read(source, options, MemoryStorage(reuse=True), given)
        storage = MemoryStorage(reuse=not raw.caller_owned)
        named = origin(source, options)
        return prepare(raw, options, *named, storage, given, divide=divide)
    except TooLarge:
        return None


def _mapped(source: Any, options: Options, given: Preprocessing | None, divide: bool) -> Data:
    """The data memory-mapped from files, which are made if they do not exist yet."""
    named, raw = origin(source, options), None
    content = _content(source, options)
    if content is None:
        raw = read(source, options, MemoryStorage(reuse=True), given)
        content = content_hash(raw)
    folder = prepared_folder(content, options, given, divide)
    if (data := load_prepared(folder, options, *named)) is not None:
        return data
    with temporary_storage() as storage:
        # Another process may have prepared them while this one waited for the lock.
        if load_prepared(folder, options, *named) is None:
            raw = raw or read(source, options, storage, given)
            data = prepare(raw, options, *named, storage, given, divide=divide)
            save_prepared(storage, data, folder)
    prepared = load_prepared(folder, options, *named)
    assert prepared is not None  # nobody removes what was made a moment ago
    return prepared


def _content(source: Any, options: Options) -> str | None:
    """A hash of the content of a path before it is decoded; None if the path must be read first."""
    if not isinstance(source, str | Path) or source in SOURCES:
        return None
    path = existing(source)
    arrays = path.is_dir() and (folder_tables(path) or _folder_of_arrays(path))
    if not is_table_file(path) and (is_image_archive(path) or (path.is_dir() and not arrays)):
        content = hash_folder(path, options)
    elif path.is_dir():
        content = None
    else:
        with open_regular(path) as file:
            is_npy = _is_npy(path, file.read(len(MAGIC)))
            file.seek(0)
            content = hashlib.file_digest(file, "sha256").hexdigest() if is_npy else None
    if content is None:
        return None
    sha = hashlib.sha256(content.encode())
    for what, value in (("labels", options.labels), ("vectors", options.vectors)):
        if isinstance(value, str | Path):
            with open_regular(existing(Path(value))) as file:
                sha.update(hashlib.file_digest(file, "sha256").digest())
        else:
            hash_array(sha, what, value)
    return sha.hexdigest()


def origin(source: Any, options: Options) -> tuple[str, str]:
    """The name of the data, and the name or path from which they load again ("" if none)."""
    if not isinstance(source, str | Path):
        return "array", ""
    reloadable = all(
        extra is None or isinstance(extra, str | Path)
        for extra in (options.labels, options.vectors)
    )
    if isinstance(source, str) and source in SOURCES:
        return source, source if reloadable else ""
    if is_url(source):
        return _stem(Path(source)), str(source) if reloadable else ""
    path = existing(source)
    return _stem(path), str(path) if reloadable else ""


def read(
    source: Any, options: Options, storage: Storage, given: Preprocessing | None = None
) -> RawData:
    """The content of a source, unchecked; what must be decoded is written to `storage`.

    given: the preprocessing of a trained model, whose columns are read from a table.

    Raises:
        DataError: no such source, or it cannot be read.
    """
    if not isinstance(source, str | Path):
        raw = read_memory(source, options, given)
    elif isinstance(source, str) and source in SOURCES:
        raw = read_named(SOURCES[source])
    else:
        raw = _read_path(existing(source), options, storage, given)
    # Of a file of labels, id and label name columns too.
    others = () if options.labels is None else ("label", "id")
    for name in () if raw.columns else _TABLE_OPTIONS:
        if getattr(options, name) is not None and name not in others:
            raise DataError(f"{name} is given, but the data are no table", "Leave it out.")
    if options.no_labels:
        raw = replace(raw, parts={part: (x, None) for part, (x, _) in raw.parts.items()})
    if options.labels is not None:
        path, labels = _extra(options.labels)
        raw = with_labels(raw, labels, path, options)
    if options.vectors is not None:
        if list(raw.parts) != ["all"]:
            raise DataError(
                f"vectors were given, but the source is divided into {', '.join(raw.parts)}",
                "Separate vectors need an undivided source; leave them out.",
            )
        raw = replace(raw, vectors=_extra(options.vectors)[1])
    return raw


def _extra(given: Any) -> tuple[Path | None, Any]:
    """The path of given labels or vectors, if any, and the array; None for a table."""
    if not isinstance(given, str | Path):
        return None, given
    path = existing(Path(given))
    return path, None if is_label_table(path) else read_array(path)


def _read_path(
    path: Path, options: Options, storage: Storage, given: Preprocessing | None
) -> RawData:
    if path.is_dir():
        if tables := folder_tables(path):
            frames = {part: read_table_file(each) for part, each in tables.items()}
            return read_table(frames, options, given)
        raw = _folder_of_arrays(path)
        if raw is not None:
            return raw
    if path.is_dir() or (not is_table_file(path) and is_image_archive(path)):
        return read_folder(path, options, storage)
    with open_regular(path) as file:
        head = file.read(len(MAGIC))
    if _is_npy(path, head):
        read = read_npy if isinstance(storage, MemoryStorage) else map_npy
        return RawData({"all": (read(path), None)})
    if is_table_file(path, head):
        return read_table({"all": read_table_file(path)}, options, given)
    if head[:2] == b"PK" or path.suffix.lower() == ".npz":
        return read_npz(path)
    if is_tar(path):
        return read_archive(path)
    if head[:2] == GZIP or is_idx(head[:4]):
        return read_idx_file(path)
    if is_image_file(path):
        return read_folder(path, options, storage)
    what = "is empty" if not head else f"has an unknown format; known are {_KINDS}"
    raise DataError(f"{shown(path)} {what}", "For images, give their folder.")


def _folder_of_arrays(path: Path) -> RawData | None:
    """The data in a folder of IDX or CIFAR files; None for any other folder."""
    try:
        return read_idx_folder(path) or read_batches(path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {reason(error)}") from error


def _is_npy(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".npy" or head == MAGIC


def _stem(path: Path) -> str:
    """The file name without .gz and without its last suffix."""
    return shown(Path(path.name.removesuffix(".gz")).stem or path.name)
