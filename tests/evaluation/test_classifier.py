import numpy as np
import pytest
import torch
from torch.nn import functional

from autoencode.data import load_data, scaled
from autoencode.errors import DataError, RecipeError
from autoencode.evaluation import Classifier, classifier, trained_classifier

pytestmark = pytest.mark.long

STEPS = 15


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """A cache of each test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("AUTOENCODE_CACHE", str(folder))
    return folder / "classifiers"


@pytest.fixture
def never_fitted(monkeypatch):
    """Call it, and from then on training fails."""

    def fitted(*_):
        raise AssertionError("trained again")

    return lambda: monkeypatch.setattr(classifier, "_fit", fitted)


def same(a, b):
    kept, other = a.state_dict(), b.state_dict()
    return kept.keys() == other.keys() and all(torch.equal(kept[n], other[n]) for n in kept)


def blurred(shape, classes=3, n=200, seed=0):
    """Noise whose brightness in the first half of the numbers tells the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.random((n, *shape), dtype=np.float32) / 4
    flat = x.reshape(n, -1)
    flat[:, : flat.shape[1] // 2] += 0.75 * y[:, None] / (classes - 1)
    return x, y


def test_digits_are_told_apart(digits):
    found = trained_classifier(digits, steps=100)
    assert 0.9 < found.accuracy < 1
    assert found.classes == digits.classes
    predicted = found.predict(digits.test.x)
    assert predicted.dtype == torch.int64
    assert found.accuracy == (predicted == digits.test.y).double().mean().item()
    p = found.predict_proba(digits.test.x)
    torch.testing.assert_close(p.sum(1), torch.ones(len(p)))
    assert torch.equal(p.argmax(1), predicted)
    # Cross-entropy in nats: it is sure where it is right.
    assert functional.nll_loss(p.log(), digits.test.y) < 0.3


def test_features_are_what_the_last_layer_sees(digits):
    found = trained_classifier(digits, steps=STEPS)
    x = digits.test.x[:50]
    features = found.features(x)
    assert features.shape == (50, 128)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    by_hand = features @ found.head.weight.T + found.head.bias
    torch.testing.assert_close(found.predict_proba(x), by_hand.softmax(1))
    # One by one, as floats, and from training mode: batch norm would show.
    found.train()
    alone = torch.cat([found.features(scaled(image[None])) for image in x])
    assert found.training
    torch.testing.assert_close(alone, features)
    assert found.features(x[:0]).shape == (0, 128)


def test_the_second_call_reads_what_the_first_kept(digits, cache, never_fitted, capsys):
    first = trained_classifier(digits, steps=STEPS)
    assert [path.suffix for path in cache.iterdir()] == [".safetensors"]
    never_fitted()
    second = trained_classifier(digits, steps=STEPS)
    assert same(first, second)
    assert (second.accuracy, second.classes) == (first.accuracy, first.classes)
    assert torch.equal(second.predict(digits.test.x), first.predict(digits.test.x))
    assert not second.training
    assert not any(p.requires_grad for p in second.parameters())
    for other in ({"seed": 1}, {"steps": STEPS + 1}):
        with pytest.raises(AssertionError, match="trained again"):
            trained_classifier(digits, **{"steps": STEPS, **other})
    with pytest.raises(AssertionError, match="trained again"):
        trained_classifier(load_data("digits", binarise="static"), steps=STEPS)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("harm", ["cut", "bit", "other"])
def test_a_damaged_file_is_replaced(digits, cache, never_fitted, harm, capsys):
    first = trained_classifier(digits, steps=STEPS)
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if harm == "other":  # a whole file, of another classifier
        trained_classifier(digits, steps=STEPS, seed=1)
        content = next(p for p in cache.iterdir() if p != path).read_bytes()
    elif harm == "bit":
        content[-7] ^= 1
    else:
        content = content[:1000]
    path.write_bytes(content)
    assert same(first, trained_classifier(digits, steps=STEPS))
    assert "is damaged; training the classifier again" in capsys.readouterr().err
    never_fitted()
    assert same(first, trained_classifier(digits, steps=STEPS))


def test_without_a_cache_it_works_and_says_so(digits, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "file"))
    assert trained_classifier(digits, steps=STEPS).accuracy > 0.2
    assert "the classifier is not cached" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_and_leaves_torch_alone(digits, cache):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():
        first = trained_classifier(digits, steps=STEPS)
    for path in cache.iterdir():
        path.unlink()
    torch.rand(5)
    again = trained_classifier(digits, steps=STEPS)
    torch.manual_seed(3)
    assert torch.equal(before, torch.get_rng_state())
    trained_classifier(digits, steps=STEPS)
    assert torch.equal(before, torch.get_rng_state())
    assert same(first, again)
    assert not same(first, trained_classifier(digits, steps=STEPS, seed=1))


@pytest.mark.parametrize("shape", [(12,), (9, 6), (3, 11, 8), (1, 5, 1)])
def test_any_shape(shape):
    data = load_data(blurred(shape))
    found = trained_classifier(data, steps=70)
    assert found.accuracy > 0.8
    assert found.features(data.test.x).shape == (len(data.test), 128)
    if len(shape) == 1:
        assert not any(isinstance(m, torch.nn.Conv2d) for m in found.modules())


@pytest.mark.parametrize(("height", "width"), [(28, 28), (224, 100), (1, 1), (4, 70)])
def test_large_images_are_halved_more_often(height, width):
    net = Classifier((3, height, width), ("a", "b")).eval()
    sizes = []
    for module in net.body:
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda *a: sizes.append(tuple(a[2].shape[1:])))
    assert net.predict_proba(torch.zeros(2, 3, height, width)).shape == (2, 2)
    assert sizes[0] == (16, height, width)
    assert max(sizes[-1][1:]) <= 8
    if height == 28:
        assert sizes[1:] == [(32, 14, 14), (64, 7, 7)]


def test_images_are_shifted_whole_and_get_some_noise():
    image = torch.full((1, 30, 28), 0.5)
    image[0, 10, 12] = 1
    torch.manual_seed(0)
    varied = classifier._augmented(image.expand(1000, -1, -1))
    assert varied.min() >= 0
    assert varied.max() <= 1
    # The brightest pixel, where the noise is too weak to hide it.
    noise = varied[:, 20:].flatten(1).std(1)
    assert 0 <= noise.min() < 0.01
    assert 0.09 < noise.max() < 0.11
    at = varied[noise < 0.05].flatten(1).argmax(1)
    assert set(at.tolist()) == {28 * row + col for row in range(8, 13) for col in range(10, 15)}
    vectors = torch.rand(4, 30)
    assert classifier._augmented(vectors) is vectors


def test_only_known_labels_are_learned_from():
    x, y = blurred((6, 6), classes=2)
    data = load_data((x, y), labelled=40)
    assert (data.train.y < 0).sum() > 80
    assert trained_classifier(data, steps=30).accuracy > 0.8


def test_bits_are_drawn_anew_where_the_data_say_so(monkeypatch):
    data = load_data(blurred((6, 6)), binarise="dynamic")
    seen = []
    varied = classifier._augmented
    monkeypatch.setattr(classifier, "_augmented", lambda x: seen.append(x) or varied(x))
    trained_classifier(data, steps=4)
    assert all(((x == 0) | (x == 1)).all() for x in seen)


def test_refusals(digits):
    x, y = blurred((6, 6))
    with pytest.raises(DataError, match='no training example of "array" has one'):
        trained_classifier(load_data(x))
    one = load_data(((x, np.zeros_like(y)), (x, y)))
    with pytest.raises(DataError, match=r'two classes or more.*belong to one, "0"'):
        trained_classifier(one)
    with pytest.raises(RecipeError, match="seed"):
        trained_classifier(digits, seed=-1)
    with pytest.raises(RecipeError, match="steps"):
        trained_classifier(digits, steps=0)
    found = trained_classifier(digits, steps=5)
    with pytest.raises(DataError, match=r"of shape \(8, 8\), and these are \(8,\)"):
        found.predict(digits.test.x[0])
    with pytest.raises(DataError, match=r"uint8.*torch.int64"):
        found.features(digits.test.x.long())
