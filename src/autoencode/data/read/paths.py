"""The paths of data: whether they exist, and whether they hold images."""

from __future__ import annotations

import os
from pathlib import Path

from autoencode.data.named.catalogue import SOURCES
from autoencode.data.read.archive import is_image_archive
from autoencode.data.read.cifar import is_batch_name
from autoencode.data.read.table_file import folder_tables, is_table_file
from autoencode.errors import DataError, did_you_mean
from autoencode.io.files import reason, shown
from autoencode.io.urls import is_url


def existing(source: str | Path) -> Path:
    """The absolute path of an existing file or folder.

    Raises:
        DataError: there is none.
    """
    if not str(source):
        raise DataError("The name of the data is empty", "Give a name or a path.")
    if is_url(source):
        raise DataError(
            f"{shown(str(source))} is a URL, from which only embed, anomalies, reconstruct and "
            "denoise read, and only folders and archives of images",
            "Copy it to this computer first, and give the path.",
        )
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


def is_folder_of_images(path: Path) -> bool:
    """Whether a path is that of a folder or an archive of images; False if it may hold arrays."""
    if not path.is_dir():
        return not is_table_file(path) and is_image_archive(path)
    try:
        names = os.listdir(path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {reason(error)}") from error
    arrays = any("-idx" in name or is_batch_name(name) for name in names)
    return not arrays and not folder_tables(path)
