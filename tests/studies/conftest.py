import numpy as np
import pytest


def blobs(n=240, classes=3, seed=0):
    """Images of a bright bar at one of three places, with noise: separable classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8)
    for i, k in enumerate(y):
        x[i, :, 3 * k : 3 * k + 2] += np.uint8(150 + 40 * rng.random())
    return x, y


@pytest.fixture
def source(tmp_path):
    """A file of images with three classes."""
    x, y = blobs()
    path = tmp_path / "bars.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture
def shuffled(tmp_path):
    """The same images, with labels that have nothing to do with them."""
    x, y = blobs()
    path = tmp_path / "shuffled.npz"
    np.savez(path, x=x, y=np.random.default_rng(1).permutation(y))
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch, request):
    """A short training of the classifier of features, and few models of each study if not slow."""
    monkeypatch.setattr("autoencode.evaluation.classifier.MIN_STEPS", 30)
    if "slow" not in request.keywords:
        monkeypatch.setattr("autoencode.studies.bottleneck.SIZES", (2, 8))
        monkeypatch.setattr("autoencode.studies.beta.WEIGHTS", (0.25, 1.0, 16.0))
