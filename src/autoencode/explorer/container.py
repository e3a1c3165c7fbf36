"""The one file that the explorer's page reads: a header in JSON and numbers as they lie in memory.

Eight bytes "AEXPLORE", the length of the header (uint32), the header, then the blobs that it lists,
all little-endian, the whole packed with gzip, which every browser unpacks by itself. Of float16
numbers all low bytes come first and then all high ones: signs and exponents repeat, and pack well
once they stand together.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np

MAGIC = b"AEXPLORE"
KINDS = {"float16", "float32", "uint8", "uint16", "uint32"}
# Printable signs that neither HTML nor JSON minds.
SIGNS = np.array([sign for sign in range(0x21, 0x7F) if chr(sign) not in '"&<'], np.uint8)
BITS = 13


class Container:
    """Blobs, and the header that tells where they lie."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._held: dict[tuple[str, bytes], int] = {}

    def add(self, numbers: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Puts an array in; what the header is to say of it, `{kind, shape, offset}`.

        What is there already is not put in again.
        """
        array = np.ascontiguousarray(numbers)
        kind = array.dtype.name
        assert kind in KINDS, kind
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        raw = little.tobytes()
        if kind == "float16":
            raw = np.frombuffer(raw, np.uint8).reshape(-1, 2).T.tobytes()
        held = (kind, sha256(raw).digest())
        if held not in self._held:
            self._held[held] = self._size
            # Each begins at a multiple of four, where every kind of array may begin.
            self._parts.append(raw + bytes(-len(raw) % 4))
            self._size += len(self._parts[-1])
        return {"kind": kind, "shape": list(array.shape), "offset": self._held[held]}

    def add_bytes(self, content: bytes) -> dict[str, Any]:
        """Puts a file in, such as a picture."""
        return self.add(np.frombuffer(content, np.uint8))

    def pack(self, header: Mapping[str, Any]) -> bytes:
        """The file, with what the header says; the same content gives the same bytes."""
        text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        whole = b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *self._parts])
        # No time in it.
        return gzip.compress(whole, 6, mtime=0)


def as_text(content: bytes) -> str:
    """Bytes as text, two of 91 signs for thirteen bits: 1.23 times as long, base64 is 1.33 times.

    Begins with the number of bytes and a colon, since the last signs may stand for more.
    """
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS)
    values = np.packbits(np.pad(groups, ((0, 0), (16 - BITS, 0))), axis=1).view(">u2").ravel()
    signs = SIGNS[np.stack(np.divmod(values, len(SIGNS)), 1)]
    return f"{len(content)}:{signs.tobytes().decode('ascii')}"
