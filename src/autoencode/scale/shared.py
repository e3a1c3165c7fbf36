"""Data that several processes share: tensors in files that each process maps into memory."""

from __future__ import annotations

import math
import os
import platform
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoencode.data import Data, Preprocessing, Split, load_data
from autoencode.io.folders import sweep
from autoencode.io.memory import SHARE, available
from autoencode.io.store import writing


@dataclass(frozen=True)
class Mapped:
    """A tensor in a file; the processes that map it share one copy in memory."""

    path: Path
    dtype: torch.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor, path: Path) -> Mapped:
        """Writes a tensor into a file.

        Raises:
            ResourceError: the disk is full.
        """
        numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        with writing(path), path.open("wb") as file:
            file.write(numbers.data)
        return cls(path, tensor.dtype, tuple(tensor.shape))

    def tensor(self) -> Tensor:
        """The tensor; changes stay in this process."""
        size = math.prod(self.shape)
        if size == 0:  # an empty file cannot be mapped
            return torch.empty(self.shape, dtype=self.dtype)
        flat = torch.from_file(str(self.path), shared=False, size=size, dtype=self.dtype)
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class SharedData:
    """`Data` in a form that is sent to another process: tensors as files.

    fields: the fields of `Data` but its parts.   parts: the fields of each, `Mapped` for a tensor.
    """

    fields: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]

    @property
    def key(self) -> str:
        """Different for other data."""
        return str(self.files[0])

    @property
    def files(self) -> list[Path]:
        """The files of all tensors."""
        values = (value for part in self.parts.values() for value in part.values())
        return [value.path for value in values if isinstance(value, Mapped)]

    @classmethod
    def of(cls, data: Data, folder: Path) -> SharedData:
        """Writes the tensors of data into a folder, one file each.

        Raises:
            ResourceError: the disk is full.
        """
        with writing(folder):
            folder.mkdir(parents=True)
        plain: dict[str, Any] = {}
        parts: dict[str, dict[str, Any]] = {}
        for each in fields(Data):
            value = getattr(data, each.name)
            if not isinstance(value, Split):
                plain[each.name] = value
                continue
            values = {inner.name: getattr(value, inner.name) for inner in fields(Split)}
            parts[each.name] = {
                name: Mapped.of(v, folder / f"{each.name}.{name}") if isinstance(v, Tensor) else v
                for name, v in values.items()
            }
        return cls(plain, parts)

    def data(self) -> Data:
        """The data, with the tensors mapped."""
        parts: dict[str, Any] = {}
        for part, values in self.parts.items():
            loaded: dict[str, Any] = {
                name: value.tensor() if isinstance(value, Mapped) else value
                for name, value in values.items()
            }
            parts[part] = Split(**loaded)
        return Data(**self.fields, **parts)


@dataclass(frozen=True)
class OnDisk:
    """Data that lie in files already; each process maps these files."""

    source: str
    options: Mapping[str, Any]
    preprocessing: Preprocessing | None

    @property
    def key(self) -> str:
        """Different for other data."""
        return f"{self.source} {dict(self.options)}"

    @property
    def files(self) -> list[Path]:
        """None that can be sent: they are larger than memory."""
        return []

    def data(self) -> Data:
        """The data, mapped."""
        return load_data(self.source, preprocessing=self.preprocessing, **self.options)


def share(data: Data, folder: Path) -> SharedData | OnDisk:
    """Data for other processes: one copy, in a new folder, unless they lie on disk already.

    Raises:
        ResourceError: the disk is full.
    """
    mapped = data.options.get("memory") == "map" or _size(data) > SHARE * available()
    if data.source and mapped:
        return OnDisk(data.source, data.options, data.preprocessing)
    return SharedData.of(data, folder)


def _size(data: Data) -> int:
    """Bytes of the examples."""
    return sum(part.x.numel() * part.x.element_size() for part in (data.train, data.test))


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for shared data; those that killed processes left are removed."""
    prefix = f"autoencode-{platform.node()}-"  # the folder may be that of several machines
    pattern = re.compile(rf"{re.escape(prefix)}(\d{{1,9}})-\w+")
    sweep(Path(tempfile.gettempdir()), pattern, folders=True)
    return tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", ignore_cleanup_errors=True)
