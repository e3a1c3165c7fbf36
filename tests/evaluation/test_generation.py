import math

import numpy as np
import pytest
import scipy.linalg
import torch

from autoencode.errors import DataError, Diverged
from autoencode.evaluation import Classifier, frechet_distance, label_fidelity


def features(n, d, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, d, generator=generator) @ torch.randn(d, d, generator=generator)
    return scale * mixed + shift


def by_scipy(a, b):
    """The formula as it is written."""
    a, b = a.double().numpy(), b.double().numpy()
    s, g = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s @ g).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + g - 2 * root)


def test_the_formula():
    a, b = features(300, 12), features(170, 12, seed=1, scale=2, shift=1)
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(by_scipy(a, b), rel=1e-9)


def test_diagonal_covariances_in_closed_form():
    # The four corners ±s have covariance 4/3 s² I: σ is known exactly.
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    s, g = torch.tensor([2.0, 0.5]), torch.tensor([0.25, 3.0])
    shift = torch.tensor([3.0, -1.0])
    expected = 10 + 4 / 3 * (s - g).square().sum().item()
    assert frechet_distance(corners * s, corners * g + shift) == pytest.approx(expected, rel=1e-12)


def test_a_set_is_nowhere_but_with_itself():
    # The variances add up to about 2e7.
    for n in (500, 20):  # more examples than features, and fewer
        a = features(n, 40, scale=100, shift=50).double()
        assert 0 <= frechet_distance(a, a) < 1e-6
        assert frechet_distance(a, a + 0.1) == pytest.approx(0.01 * 40, rel=1e-7)
        assert frechet_distance(a, a.flip(0)) < 1e-6


def test_rank_deficient_covariances():
    # On one line the distance is that of one dimension: (μ − ν)² + (σ − γ)².
    t, u = torch.randn(50, generator=torch.Generator().manual_seed(0)).double(), torch.arange(30.0)
    direction = torch.zeros(64).double()
    direction[3], direction[40] = 0.6, 0.8
    a, b = t[:, None] * direction, u.double()[:, None] * direction
    expected = (t.mean() - u.mean()) ** 2 + (t.std() - u.double().std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-12)
    # In directions at right angles nothing is shared: the variances add.
    other = torch.eye(64).double()[7]
    expected = t.mean() ** 2 + u.double().mean() ** 2 + t.var() + u.double().var()
    found = frechet_distance(a, u.double()[:, None] * other)
    assert found == pytest.approx(expected.item(), rel=1e-12)
    # Features that are always 0 change nothing.
    alive = features(90, 5), features(80, 5, 1)
    dead = [torch.nn.functional.pad(x, (0, 9)) for x in alive]
    assert frechet_distance(*dead) == pytest.approx(frechet_distance(*alive), rel=1e-10)


def test_turning_both_sets_changes_nothing():
    turn = torch.linalg.qr(features(12, 12, seed=5).double()).Q
    a, b = features(60, 12).double(), features(90, 12, seed=1, shift=2).double()
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b), rel=1e-10)
    assert abs(frechet_distance(a @ turn, b) - frechet_distance(a, b)) > 1


def test_features_that_cannot_be_compared():
    a = features(10, 3)
    for other in (features(10, 4), a[:1], a[0], a[:0]):
        with pytest.raises(DataError, match="with 2 examples or more, and these are"):
            frechet_distance(a, other)
    with pytest.raises(Diverged, match="not finite"):
        frechet_distance(a, a * math.inf)


@pytest.fixture
def brightest():
    """It sees the class of the brightest of three numbers."""
    judge = Classifier((3,), ("a", "b", "c"))
    judge.body, judge.head = torch.nn.Identity(), torch.nn.Linear(3, 3)
    judge.head.load_state_dict({"weight": torch.eye(3), "bias": torch.zeros(3)})
    return judge


def test_label_fidelity_by_hand(brightest):
    images = torch.eye(3)[torch.tensor([0, 1, 2, 2])]
    assert label_fidelity(brightest, images, torch.tensor([0, 1, 2, 0])) == 0.75
    assert label_fidelity(brightest, (255 * images).to(torch.uint8), torch.tensor([1] * 4)) == 0.25


def test_labels_that_cannot_be_asked_for(brightest):
    images = torch.eye(3)
    with pytest.raises(DataError, match=r"one label.*3 images and labels of shape \(2,\)"):
        label_fidelity(brightest, images, torch.tensor([0, 1]))
    with pytest.raises(DataError, match="0 images"):
        label_fidelity(brightest, images[:0], torch.zeros(0).long())
    for wrong in (-1, 3):
        with pytest.raises(DataError, match="0 to 2, and these go from"):
            label_fidelity(brightest, images, torch.tensor([0, 1, wrong]))
