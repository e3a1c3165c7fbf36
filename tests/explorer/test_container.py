"""The container, read by code that follows its docstring alone."""

import gzip
import string
from html import escape

import numpy as np
import pytest

from autoencode.explorer.container import Container, as_text

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ALPHABET += "!#$%.()*+-;,=/?@^_`{|}~"


@pytest.mark.parametrize("kind", ["float16", "float32", "uint8", "uint16", "uint32"])
def test_arrays_are_restored(kind, unpacked, array_of):
    container = Container()
    container.add(np.arange(3, dtype=np.uint8))  # so that the next does not begin at 0
    array = (np.random.default_rng(0).normal(size=(5, 7)) * 100).astype(kind)
    reference = container.add(array)
    header, blobs = unpacked(container.pack({"here": reference}))
    assert header["here"]["offset"] % 4 == 0
    assert np.array_equal(array_of(blobs, header["here"]), array, equal_nan=True)


def test_equal_arrays_are_stored_once(unpacked):
    container = Container()
    array = np.arange(1000, dtype=np.float32)
    assert container.add(array) == container.add(array.copy())
    assert len(unpacked(container.pack({}))[1]) == array.nbytes


def test_the_same_content_gives_the_same_file():
    packed = []
    for _ in range(2):
        container = Container()
        packed.append(container.pack({"of": container.add(np.arange(9, dtype=np.float32))}))
    assert packed[0] == packed[1]


def test_float16_compresses_better_as_byte_planes():
    halves = np.random.default_rng(0).normal(size=50_000).astype(np.float16)
    container = Container()
    container.add(halves)
    assert len(container.pack({})) < len(gzip.compress(halves.tobytes()))


@pytest.mark.parametrize("n", [*range(30), 1000, 4097])
def test_text_encodes_bytes(n):
    content = np.random.default_rng(n).integers(0, 256, n, np.uint8).tobytes()
    text = as_text(content)
    # Five digits in base 85 stand for four bytes; the last group is padded with the digit 84.
    digits = [ALPHABET.index(character) for character in text]
    digits += [84] * (-len(digits) % 5)
    groups = [digits[i : i + 5] for i in range(0, len(digits), 5)]
    numbers = [sum(digit * 85 ** (4 - i) for i, digit in enumerate(group)) for group in groups]
    found = b"".join(number.to_bytes(4, "big") for number in numbers)
    assert found[: len(text) * 4 // 5] == content
    assert escape(text) == text
