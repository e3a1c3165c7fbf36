"""Named tensors in files with a checksum, in the format of safetensors. Never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from autoencode.errors import ResourceError, RunError
from autoencode.io.memory import available, gigabytes
from autoencode.io.store import FORMAT, RESTORE, check_json, reading, write_bytes


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write named tensors and JSON-serialisable `meta` as one file, see `packed_tensors`."""
    write_bytes(path, *_pieces(tensors, meta))


def packed_tensors(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file with named tensors, JSON-serialisable `meta` and a checksum.

    Equal tensors and equal `meta` give the same bytes, in every process.
    """
    return b"".join(_pieces(tensors, meta))


def _pieces(
    tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> tuple[bytes, bytes, memoryview]:
    # safetensors refuses tensors that share memory or are not contiguous.
    copies = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    header = {"format": str(FORMAT), "meta": json.dumps(meta, sort_keys=True)}
    header["sha256"] = _checksum(copies, header)
    content = save(copies, header)
    # Eight bytes hold the length of the JSON header. Its metadata come from a hash map of Rust, in
    # an order that changes from process to process.
    end = 8 + int.from_bytes(content[:8], "little")
    sorted_header = json.dumps(
        json.loads(content[8:end]), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()
    sorted_header += b" " * (-len(sorted_header) % 8)  # the tensors start at a multiple of 8
    length = len(sorted_header).to_bytes(8, "little")
    return length, sorted_header, memoryview(content)[end:]


@contextmanager
def reading_tensors(path: Path) -> Iterator[BufferedReader]:
    """Open a file of tensors, see `reading`.

    Raises:
        ResourceError: it is larger than the available memory.
    """
    with reading(path) as file:
        size, free = os.fstat(file.fileno()).st_size, available()
        if size > free:
            raise ResourceError(
                f"{path} has {gigabytes(size)}, and {gigabytes(free)} of memory are available",
                "Free memory, or use a machine with more of it.",
            )
        yield file


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` of a file of `write_tensors`, after a check of every bit.

    Raises:
        RunError: the file is missing, truncated, changed, or of a newer version.
        ResourceError: it is larger than the available memory.
    """
    with reading_tensors(path):
        pass
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            _refuse_newer(path, header)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, MemoryError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error})", RESTORE) from error
    return _verified(path, tensors, header)


def unpacked_tensors(content: bytes, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` of the bytes of `packed_tensors`, after a check of every bit.

    what: what the bytes are of, for messages.

    Raises:
        RunError: the bytes are truncated, changed, or of a newer version.
    """
    try:
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end]).get("__metadata__", {})
        _refuse_newer(what, header)
        tensors = load(content)
    except (SafetensorError, MemoryError, ValueError, AttributeError) as error:
        raise RunError(f"{what} is damaged ({error})", RESTORE) from error
    return _verified(what, tensors, header)


def _refuse_newer(what: Path | str, header: Mapping[str, str]) -> None:
    version = header.get("format", "")
    if version.isdecimal() and int(version) > FORMAT:
        raise RunError(
            f"{what} has format {version}, but this version reads formats up to {FORMAT}",
            "Update: pip install --upgrade autoencode.",
        )


def _verified(
    what: Path | str, tensors: dict[str, Tensor], header: Mapping[str, str]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` in the header, if the checksum is right."""
    if _checksum(tensors, header) != header.get("sha256"):
        raise RunError(f"{what} is damaged: its checksum does not match its content", RESTORE)
    try:
        meta = json.loads(header["meta"])
        if not isinstance(meta, dict):
            raise ValueError("its metadata are not a JSON object")
        check_json(meta, allow_nan=True)
    except (KeyError, ValueError, RecursionError) as error:
        raise RunError(f"{what} is damaged ({error})", RESTORE) from error
    return tensors, meta


def _checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    digest = hashlib.sha256(f"{header.get('format')}\n{header.get('meta')}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
