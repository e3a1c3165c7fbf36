"""The binary file inside an explorer page: a JSON header, followed by arrays.

Layout, little-endian: the eight bytes "AEXPLORE", the length of the header (uint32), the header,
then the arrays it refers to, all compressed with gzip. Arrays of float16 are stored as all low
bytes followed by all high bytes: signs and exponents repeat, and compress better side by side.
"""

from __future__ import annotations

import gzip
import json
from base64 import b85encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from torch import Tensor

MAGIC = b"AEXPLORE"
KINDS = {"float16", "float32", "uint8", "uint16", "uint32"}
# Base85 contains three characters that HTML escapes; these replace them.
HTML_SAFE = bytes.maketrans(b"&<>", b".,/")


class Container:
    """Collects arrays, and packs them with a header that refers to them."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._offsets: dict[tuple[str, bytes], int] = {}

    def add(self, values: Tensor | np.ndarray[Any, Any]) -> dict[str, Any]:
        """Add an array, and return its reference for the header: `{kind, shape, offset}`.

        Tensors are stored as float32. Equal arrays are stored once.
        """
        if isinstance(values, Tensor):
            values = values.detach().float().cpu().numpy()
        array = np.ascontiguousarray(values)
        kind = array.dtype.name
        assert kind in KINDS, kind
        raw = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        if kind == "float16":
            raw = np.frombuffer(raw, np.uint8).reshape(-1, 2).T.tobytes()
        key = (kind, sha256(raw).digest())
        if key not in self._offsets:
            self._offsets[key] = self._size
            # JavaScript reads typed arrays from offsets that are multiples of four.
            self._parts.append(raw + bytes(-len(raw) % 4))
            self._size += len(self._parts[-1])
        return {"kind": kind, "shape": list(array.shape), "offset": self._offsets[key]}

    def pack(self, header: Mapping[str, Any]) -> bytes:
        """Return the file; the same header and arrays give the same bytes."""
        text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        content = b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *self._parts])
        # A timestamp would make equal files differ.
        return gzip.compress(content, 6, mtime=0)


def as_text(content: bytes) -> str:
    """Encode bytes as base85 text that HTML need not escape: 1.25 characters per byte.

    Base64 would take 1.33 characters per byte.
    """
    return b85encode(content).translate(HTML_SAFE).decode("ascii")
