import gzip
import struct

import numpy as np
import pytest
from hypothesis import strategies as st

from autoencode.data import load_data

pytestmark = pytest.mark.long


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_damaged_idx_files(fuzz, damaged, tmp_path, pack):
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8), np.uint8)
    content = struct.pack(">HBBIII", 0, 8, 3, *images.shape) + images.tobytes()
    path = tmp_path / "images-idx3-ubyte"

    def read(content):
        path.write_bytes(content)
        load_data(path)

    fuzz(damaged(pack(content)), read)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_that_claim_any_shape(fuzz, tmp_path, pack):
    lengths = st.sampled_from((0, 1, 8, 60, 61, 2_000_000, 2**16, 2**31, 2**32 - 1))
    shapes = st.lists(lengths, min_size=1, max_size=4)
    path = tmp_path / "images-idx3-ubyte"

    def read(value):
        kind, shape = value
        head = struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)
        path.write_bytes(pack(head + bytes(60 * 8 * 8)))
        load_data(path)

    fuzz(st.tuples(st.sampled_from((8, 9, 11, 12, 13, 14)), shapes), read)
