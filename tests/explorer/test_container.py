"""The packed file, read back by nothing but what its docstring says."""

import gzip

import numpy as np
import pytest

from autoencode.explorer.container import SIGNS, Container, as_text


@pytest.mark.parametrize("kind", ["float16", "float32", "uint8", "uint16", "uint32"])
def test_arrays_come_back(kind, unpacked, array_of):
    container = Container()
    container.add(np.arange(3, dtype=np.uint8))  # so that the next does not begin at 0
    array = (np.random.default_rng(0).normal(size=(5, 7)) * 100).astype(kind)
    reference = container.add(array)
    header, blobs = unpacked(container.pack({"here": reference}))
    assert header["here"]["offset"] % 4 == 0
    assert np.array_equal(array_of(blobs, header["here"]), array, equal_nan=True)


def test_the_same_array_is_held_once(unpacked):
    container = Container()
    array = np.arange(1000, dtype=np.float32)
    assert container.add(array) == container.add(array.copy())
    assert len(unpacked(container.pack({}))[1]) == array.nbytes


def test_the_same_content_is_the_same_file():
    packed = []
    for _ in range(2):
        container = Container()
        packed.append(container.pack({"of": container.add(np.arange(9, dtype=np.float32))}))
    assert packed[0] == packed[1]


def test_halves_pack_better_in_planes_than_in_pairs():
    halves = np.random.default_rng(0).normal(size=50_000).astype(np.float16)
    container = Container()
    container.add(halves)
    assert len(container.pack({})) < len(gzip.compress(halves.tobytes()))


@pytest.mark.parametrize("n", [*range(30), 1000, 4097])
def test_text_stands_for_the_bytes(n):
    content = np.random.default_rng(n).integers(0, 256, n, np.uint8).tobytes()
    text = as_text(content)
    length, signs = text.split(":", 1)
    digits = {chr(sign): digit for digit, sign in enumerate(SIGNS.tolist())}
    bits = "".join(
        f"{digits[high] * len(digits) + digits[low]:013b}"
        for high, low in zip(signs[::2], signs[1::2], strict=True)
    )
    found = bytes(int(bits[i : i + 8], 2) for i in range(0, 8 * int(length), 8))
    assert found == content
    assert not set('<&"') & set(text)
