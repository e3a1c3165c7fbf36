import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from autoencode.data import Data, Split, load_data, scaled, still
from autoencode.errors import DataError
from autoencode.evaluation import features, trained_classifier
from autoencode.evaluation.features import features_of, pixel_features


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    """A cache of each test's own, and classifiers that take no time."""
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path))
    monkeypatch.setattr(
        features, "trained_classifier", lambda data: trained_classifier(data, steps=10)
    )


@pytest.mark.parametrize("shape", [(30,), (7, 5), (3, 6, 6)])
@pytest.mark.long
def test_the_components_are_those_of_the_covariance(shape):
    generator = torch.Generator().manual_seed(0)
    d = int(np.prod(shape))
    spread = 0.8 ** torch.arange(d)
    x = (0.5 + 0.1 * spread * torch.randn(400, d, generator=generator)).reshape(-1, *shape)
    found = pixel_features(x).of(x[:100])
    flat = x.flatten(1).double()
    _, axes = torch.linalg.eigh(flat.T.cov())
    count = min(64, d)
    expected = (flat - flat.mean(0))[:100] @ axes.flip(1)[:, :count]
    assert found.shape == (100, count)
    assert found.dtype == torch.float32
    # Whichever way an axis points.
    torch.testing.assert_close(
        found[:, :5].abs().double(), expected[:, :5].abs(), rtol=1e-3, atol=1e-4
    )
    torch.testing.assert_close(
        torch.pdist(found).double(), torch.pdist(expected), rtol=1e-4, atol=1e-5
    )


def test_distances_are_those_of_pixels_between_0_and_1(digits):
    # A quarter of these 64 pixels is never used: nothing is left out.
    x = digits.train.x[:200]
    found = pixel_features(digits.train.x)
    assert found.name == "the first 64 principal components of the training images"
    assert found.probabilities(x) is None
    exact = pdist(scaled(x).flatten(1).double().numpy())
    np.testing.assert_allclose(pdist(found.of(x).double().numpy()), exact, rtol=1e-4)
    torch.testing.assert_close(found.of(scaled(x)), found.of(x), rtol=1e-4, atol=1e-5)
    assert torch.equal(found.of(x), pixel_features(digits.train.x).of(x))


def test_few_or_equal_images():
    x = torch.rand(5, 28, 28, generator=torch.Generator().manual_seed(0))
    found = pixel_features(x)
    assert found.of(x).shape == (5, 4)  # five points lie in a space of four dimensions
    torch.testing.assert_close(torch.pdist(found.of(x)), torch.pdist(x.flatten(1)))
    assert (pixel_features(torch.full((9, 4), 0.5)).of(torch.full((2, 4), 0.5)) == 0).all()
    with pytest.raises(DataError, match="two training images or more, and there are 1"):
        pixel_features(x[:1])
    with pytest.raises(DataError, match="of shape"):
        found.of(x[:, :14])
    for function in (pixel_features, found.of):
        with pytest.raises(DataError, match="uint8"):
            function(x.long())


def test_labels_decide_which_features(digits):
    judge = trained_classifier(digits, steps=10)
    found = features_of(digits)
    x = digits.test.x[:20]
    assert torch.equal(found.of(x), judge.features(x))
    assert torch.equal(found.probabilities(x), judge.predict_proba(x))
    assert found.name == (
        "features of a classifier trained on the training images, "
        f"{100 * judge.accuracy:.2f} % accurate on the test images"
    )


@pytest.mark.parametrize("lacks", ["labels", "labels of test", "a second class", "known labels"])
@pytest.mark.long
def test_without_labels_components_are_taken(digits, lacks):
    def part(split, y):
        return Split(split.x, y)

    one, none = torch.zeros_like(digits.train.y), torch.full_like(digits.train.y, -1)
    train = {"labels": None, "a second class": one, "known labels": none}
    data = Data(
        "made", "", {},
        part(digits.train, train.get(lacks, digits.train.y)),
        digits.validation,
        part(digits.test, None if lacks == "labels of test" else digits.test.y),
        digits.classes, "",
    )  # fmt: skip
    found = features_of(data)
    assert "principal components" in found.name
    assert found.probabilities(digits.test.x) is None


def test_bits_that_are_drawn_anew():
    x = np.random.default_rng(0).random((300, 6, 6), dtype=np.float32)
    data = load_data(x, binarise="dynamic")
    assert data.train.random
    found = features_of(data).of(data.test.x)
    assert torch.equal(found, pixel_features(still(data.train).x).of(data.test.x))
    assert not torch.allclose(found, pixel_features(data.train.x).of(data.test.x))
