import gzip
import struct

import numpy as np
import pytest

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
