import numpy as np
import pytest
from PIL import Image

import autoencode as ae


@pytest.fixture(scope="session")
def write_images():
    """write_images(folder, shape, ...) -> a folder of random images in the class folders a, b."""

    def write(folder, shape=(6, 5), n=30, ending="png", dtype=np.uint8):
        draw = np.random.default_rng(0)
        for i in range(n):
            path = folder / "ab"[i % 2] / f"{i}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            high = 2 ** (8 * np.dtype(dtype).itemsize)
            Image.fromarray(draw.integers(0, high, shape).astype(dtype)).save(path)
        return folder

    return write


@pytest.fixture(scope="session")
def images(tmp_path_factory, write_images):
    """A folder of 30 grey images of 6×5 in two classes."""
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def model(images):
    """A VAE with three latent dimensions, hardly trained on `images`."""
    return ae.fit("vae", images, latent=3, steps=2, progress=False).model
