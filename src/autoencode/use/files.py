"""Results of many examples as files that are complete or absent: tables, arrays, folders."""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy_format

from autoencode.errors import AutoencodeError
from autoencode.io.csv_cells import csv_cell
from autoencode.io.folders import PARTS, sweep_beside
from autoencode.io.store import TEMPORARY, writing

if TYPE_CHECKING:
    import pyarrow

Columns = Mapping[str, Sequence[Any] | np.ndarray]


@contextmanager
def replacing(out: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary path beside `out`, which becomes `out` at the end of the block.

    After an error or a kill, `out` is as it was before.

    Raises:
        AutoencodeError: `out` exists and is not to be replaced.
        ResourceError: the disk is full.
        RunError: the folder cannot be written to.
    """
    refuse_existing(out, overwrite)
    temporary = out.with_name(f"{out.name}.{os.getpid()}{TEMPORARY}")
    try:
        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            sweep_beside(out)
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(out)
    except BaseException:  # a second Ctrl-C too
        with suppress(OSError):
            temporary.unlink()
        raise


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Refuse to replace a file or a folder with files, unless that is asked for.

    Raises:
        AutoencodeError: it exists.
    """
    filled = out.is_dir() and any(out.iterdir())
    if (filled or (out.exists() and not out.is_dir())) and not overwrite:
        raise AutoencodeError(
            f"{out} exists",
            "Choose another --out, or replace it with --overwrite (overwrite=True).",
        )


class Rows(ABC):
    """Rows of a table that are written in pieces; each piece has the same columns."""

    @abstractmethod
    def add(self, columns: Columns) -> None:
        """Append rows, given by column; all columns have one length."""


class _CsvRows(Rows):
    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._header = False

    def add(self, columns: Columns) -> None:
        if not self._header:
            self._writer.writerow([csv_cell(name) for name in columns])
            self._header = True
        self._writer.writerows(zip(*map(_csv_cells, columns.values()), strict=True))


def _csv_cells(values: Sequence[Any] | np.ndarray) -> Sequence[Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        # The shortest text that gives the same number of this type.
        return [str(value) for value in values]
    return [csv_cell(value) for value in values]


class _ParquetRows(Rows):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def add(self, columns: Columns) -> None:
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.table({name: _arrow(values) for name, values in columns.items()})
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _arrow(values: Sequence[Any] | np.ndarray) -> pyarrow.Array:
    import pyarrow

    # `pyarrow.array` would import pandas, which takes a third of a second.
    if isinstance(values, np.ndarray):
        kind = pyarrow.from_numpy_dtype(values.dtype)
        content = pyarrow.py_buffer(np.ascontiguousarray(values))
        return pyarrow.Array.from_buffers(kind, len(values), [None, content])
    # Names of files may hold bytes that are not UTF-8.
    texts = [b"" if v is None else str(v).encode("utf-8", "backslashreplace") for v in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    known = np.packbits([v is not None for v in values], bitorder="little")
    buffers = map(pyarrow.py_buffer, (known, ends, b"".join(texts)))
    return pyarrow.Array.from_buffers(pyarrow.string(), len(texts), [*buffers])


TABLES = (".csv", ".parquet")


@contextmanager
def rows_to(out: Path, overwrite: bool = False) -> Iterator[Rows]:
    """Write rows to a .csv or .parquet file.

    Raises:
        AutoencodeError: another ending, `out` exists, or pyarrow is not installed.
    """
    if out.suffix.lower() == ".csv":
        with (
            replacing(out, overwrite) as path,
            path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            yield _CsvRows(file)
            file.flush()
        return
    if out.suffix.lower() != ".parquet":
        raise AutoencodeError(
            f"{out} has an unknown ending", f"Choose one of: {', '.join(TABLES)}."
        )
    require_pyarrow(out)
    with replacing(out, overwrite) as path:
        rows = _ParquetRows(path)
        try:
            yield rows
        finally:
            rows.close()


def require_pyarrow(out: Path) -> None:
    """Raises AutoencodeError: pyarrow, which writes Parquet files, is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise AutoencodeError(
            f"Writing {out.name} needs pyarrow, which is not installed",
            f'Install it: pip install "autoencode[tables]", or write {out.with_suffix(".csv")}.',
        ) from error


class ArrayFile:
    """Examples that are written to the end of an .npy file; the number need not be known."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.n = file, 0
        self._like: np.ndarray | None = None

    def add(self, x: np.ndarray) -> None:
        """Append examples [n, ...] of one shape and type."""
        if self._like is None:
            self._like = x[:0]
            self._write_header()
        self._file.write(np.ascontiguousarray(x).data)
        self.n += len(x)

    def end(self) -> None:
        """Write the number of examples into the header."""
        if self._like is not None:
            self._file.seek(0)
            self._write_header()  # as long as before: numpy leaves room for the number to grow

    def _write_header(self) -> None:
        assert self._like is not None  # set by the first piece
        header = {
            "shape": (self.n, *self._like.shape[1:]),
            "fortran_order": False,
            "descr": npy_format.dtype_to_descr(self._like.dtype),
        }
        npy_format.write_array_header_1_0(self._file, header)


@contextmanager
def array_to(out: Path, overwrite: bool = False) -> Iterator[ArrayFile]:
    """Write examples to an .npy file, in pieces."""
    with replacing(out, overwrite) as path, path.open("wb") as file:
        array = ArrayFile(file)
        yield array
        array.end()


@contextmanager
def arrays_to(out: Path, overwrite: bool = False) -> Iterator[dict[str, ArrayFile]]:
    """Write several arrays to an .npz file, in pieces; each is created when it is first used."""
    with replacing(out, overwrite) as path:
        parts = path.with_name(f"{path.name}{PARTS}")
        parts.mkdir()
        files: dict[str, IO[bytes]] = {}

        class Arrays(dict[str, ArrayFile]):
            def __missing__(self, name: str) -> ArrayFile:
                files[name] = (parts / f"{name}.npy").open("wb")
                self[name] = ArrayFile(files[name])
                return self[name]

        arrays = Arrays()
        try:
            yield arrays
            for array in arrays.values():
                array.end()
            for file in files.values():
                file.close()
            with zipfile.ZipFile(path, "w") as archive:
                for name in arrays:
                    archive.write(parts / f"{name}.npy", f"{name}.npy")
        finally:
            for file in files.values():
                file.close()
            shutil.rmtree(parts, ignore_errors=True)


class Folder:
    """A folder that appears, or whose files are replaced, when all are written."""

    def __init__(self, path: Path) -> None:
        self._path, self.written = path, 0

    def write(self, name: str, content: bytes) -> None:
        """Write a file; `name` may hold folders, and leads nowhere else.

        Raises:
            AutoencodeError: a file of this name has just been written.
        """
        parts = [part for part in name.split("/") if part not in ("", ".", "..")]
        target = self._path.joinpath(*parts)
        if target.exists():
            raise AutoencodeError(f"Two examples would be written as {name}", "Rename one of them.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.written += 1


@contextmanager
def folder_to(out: Path, overwrite: bool = False) -> Iterator[Folder]:
    """Write files into a folder that is new or empty; with `overwrite` beside others.

    The files are written into a temporary folder and moved at the end.

    Raises:
        AutoencodeError: the folder has files and `overwrite` is not set, or it is a file.
    """
    refuse_existing(out, overwrite)
    if (out / "run.json").exists():
        raise AutoencodeError(f"{out} is a run", "Choose another folder: --out.")
    if out.exists() and not out.is_dir():
        raise AutoencodeError(f"{out} is a file, and a folder is to be written", "Choose another.")
    temporary = out.with_name(f"{out.name}.{os.getpid()}{TEMPORARY}")
    try:
        with writing(out):
            sweep_beside(out)
            temporary.mkdir(parents=True)
            yield Folder(temporary)
            if not out.exists() or not any(out.iterdir()):
                temporary.replace(out)
                return
            for file in sorted(temporary.rglob("*")):
                if file.is_file():
                    target = out / file.relative_to(temporary)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


# Formats that keep every bit of 8-bit images; JPEG is the exception, and is said to be.
_IMAGE_ENDINGS = {".png", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"}
JPEG_QUALITY = 95


def image_bytes(x: np.ndarray, ending: str) -> tuple[bytes, str]:
    """An image in its own units as the bytes of a file, and the ending that fits its type.

    x: [H, W] or [C, H, W]; uint8 and uint16 are kept, other types need .tif (tifffile).

    Raises:
        AutoencodeError: tifffile is not installed and needed.
    """
    from PIL import Image

    bands = len(x) if x.ndim == 3 else 1
    plain = x.dtype == np.uint8 and bands in (1, 3)
    grey16 = x.dtype == np.uint16 and bands == 1
    file = BytesIO()
    if plain or grey16:
        ending = ending if ending in _IMAGE_ENDINGS and plain else ".png"
        pixels = x.reshape(x.shape[-2:]) if bands == 1 else np.moveaxis(x, 0, -1)
        kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
        options: dict[str, Any] = {}
        if ending in (".jpg", ".jpeg"):
            options = {"quality": JPEG_QUALITY, "subsampling": 0}
        elif ending == ".webp":
            options = {"lossless": True}
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.save(file, kinds.get(ending, ending[1:].upper()), **options)
        return file.getvalue(), ending
    try:
        import tifffile
    except ImportError as error:
        raise AutoencodeError(
            f"Images with {bands} channels of {x.dtype} need tifffile, which is not installed",
            'Install it: pip install "autoencode[tiff]", or write an array: --out images.npy',
        ) from error
    planar = "separate" if bands > 1 else None
    values = np.ascontiguousarray(x if bands > 1 else x.reshape(x.shape[-2:]))
    tifffile.imwrite(file, values, photometric="minisblack", planarconfig=planar, metadata=None)
    return file.getvalue(), ".tif"
