"""The arrays of named data sets, from their checked files."""

from __future__ import annotations

from dataclasses import replace

from autoencode.data.named.catalogue import Source
from autoencode.data.named.fetch import read_files
from autoencode.data.named.sprites import read_sprites
from autoencode.data.raw import RawData
from autoencode.data.read.cifar import read_archive


def read_named(source: Source) -> RawData:
    """The arrays of a named data set, which is fetched if it is not on this machine.

    Raises:
        DataError: it cannot be fetched.
    """
    if not source.files:
        return read_sprites(source) if source.name == "sprites" else _digits(source)
    files = read_files(source)
    if "train-images-idx3-ubyte" not in files:
        (archive,) = files.values()
        return replace(read_archive(archive), verified=True)
    # The headers are not read, because the hash of the file is known.
    parts = {
        part: (
            files[f"{word}-images-idx3-ubyte"][16:].reshape(-1, *source.shape),
            files[f"{word}-labels-idx1-ubyte"][8:],
        )
        for part, word in (("train", "train"), ("test", "t10k"))
    }
    return RawData(parts, source.classes, verified=True)


def _digits(source: Source) -> RawData:
    from sklearn.datasets import load_digits

    found = load_digits()
    return RawData({"all": (found.images, found.target)}, source.classes, value_range=(0, 16))
