import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation import linear_probe_hits
from autoencode.evaluation.metrics import class_probes as module


def linear_probe(*codes_and_labels, **options):
    return linear_probe_hits(*codes_and_labels, **options).double().mean().item()


def clouds(n, seed, d=4, classes=3, spread=1.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = np.random.default_rng(99).normal(size=(classes, d))
    x = centres[y] + spread * rng.normal(size=(n, d))
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)


def by_hand(x, y, x_test, y_test, penalty):
    """The objective of the docstring, by scipy from numpy alone."""
    mean, sd = x.mean(0), x.std(0)
    x, x_test = (x - mean) / sd, (x_test - mean) / sd
    k, d = y.max() + 1, x.shape[1]

    def objective(flat):
        w, b = flat[: d * k].reshape(d, k), flat[d * k :]
        logits = x @ w + b
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        residual = (np.exp(log_p) - np.eye(k)[y]) / len(x)
        value = -log_p[np.arange(len(x)), y].mean() + penalty / 2 * (w**2).sum()
        return value, np.concatenate([(x.T @ residual + penalty * w).ravel(), residual.sum(0)])

    flat = minimize(objective, np.zeros(d * k + k), jac=True, tol=1e-12).x
    logits = x_test @ flat[: d * k].reshape(d, k) + flat[d * k :]
    return (logits.argmax(1) == y_test).mean()


@pytest.mark.parametrize("penalty", [1.0, 1e-2])
def test_one_penalty_by_hand(penalty):
    x, y = clouds(150, 0)
    x = x * torch.tensor([1, 100, 1e-3, 1]) + 5  # of no matter to a probe that standardises
    x_test, y_test = clouds(500, 1)
    x_test = x_test * torch.tensor([1, 100, 1e-3, 1]) + 5
    found = linear_probe(x, y, x_test, y_test, penalties=(penalty,))
    parts = [t.double().numpy() if t.is_floating_point() else t.numpy() for t in (x, y)]
    asked = [t.double().numpy() if t.is_floating_point() else t.numpy() for t in (x_test, y_test)]
    assert 0.5 < found < 0.95
    assert found == pytest.approx(by_hand(*parts, *asked, penalty), abs=1.01 / 500)


def test_what_is_linear_is_told_and_what_is_not_is_not():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 2, generator=generator)
    side, ring = (x @ torch.tensor([1.0, 2.0]) > 0).long(), (x.norm(dim=1) > 1.18).long()
    assert linear_probe(x[:1000], side[:1000], x[1000:], side[1000:]) > 0.985
    assert linear_probe(x[:1000], ring[:1000], x[1000:], ring[1000:]) < 0.7


def test_codes_of_any_shape_and_labels_of_any_number():
    x, y = clouds(100, 0)
    assert linear_probe(x, y, x, y) == linear_probe(
        x.reshape(100, 2, 2), 5 * y - 1, x.reshape(100, 2, 2), 5 * y - 1
    )


def test_dead_dimensions_change_nothing():
    (x, y), (x_test, y_test) = clouds(100, 0), clouds(300, 1)
    found = linear_probe(x, y, x_test, y_test)
    dead = torch.full((100, 2), 0.1)
    # In training they said nothing, so that what they say in testing counts for nothing.
    alive = 1e3 * torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    wide, wide_test = torch.cat([x, dead], 1), torch.cat([x_test, alive], 1)
    assert linear_probe(wide, y, wide_test, y_test) == pytest.approx(found, abs=1.01 / 300)


def test_sparse_codes():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 5, (400,), generator=generator)
    codes = torch.zeros(400, 200)
    codes[torch.arange(400), 7 * y] = 1 + torch.rand(400, generator=generator)
    assert linear_probe(codes[:200], y[:200], codes[200:], y[200:]) == 1


def test_the_penalty_is_chosen_without_the_test_codes(monkeypatch):
    # Few codes of many dimensions: a weak penalty learns the noise.
    (x, y), (x_test, y_test) = clouds(60, 0, d=50, spread=2), clouds(400, 1, d=50, spread=2)
    seen = []
    fit = module._logistic

    def spied(codes, labels, penalty):
        seen.append((penalty, len(codes)))
        return fit(codes, labels, penalty)

    monkeypatch.setattr(module, "_logistic", spied)
    found = linear_probe(x, y, x_test, y_test)
    assert seen[:-1] == [(penalty, 48) for penalty in module.PENALTIES]
    chosen, count = seen[-1]
    assert count == 60
    # Other test codes, or labels, leave the choice as it is.
    seen.clear()
    linear_probe(x, y, x_test[:3] * 100, 2 - y_test[:3])
    assert seen[-1] == (chosen, 60)
    assert found == linear_probe(x, y, x_test, y_test, penalties=(chosen,))


def test_the_part_to_choose_by_is_apart_and_lacks_no_class():
    labels = np.array([0] * 50 + [1] * 49 + [2])
    fitted, held = module._split(labels)
    assert sorted([*fitted, *held]) == list(range(100))
    assert len(held) == 20
    assert set(labels[fitted]) == {0, 1, 2}


def test_so_few_codes_that_none_is_left_to_choose_by():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([4, 2])
    assert linear_probe(x, y, x, y) == 1
    assert linear_probe(x, y, x, torch.tensor([4, 7])) == 0.5  # a class that training lacks


def test_codes_and_labels_that_cannot_be_used():
    x, y = clouds(20, 0)
    with pytest.raises(DataError, match=r"one label.*20 training codes and 3 labels"):
        linear_probe(x, y[:3], x, y)
    with pytest.raises(DataError, match="0 test codes"):
        linear_probe(x, y, x[:0], y[:0])
    with pytest.raises(DataError, match=r"shape \(4,\) do not fit test codes of shape \(3,\)"):
        linear_probe(x, y, x[:, :3], y)
    with pytest.raises(DataError, match="two classes"):
        linear_probe(x, 0 * y, x, y)
    with pytest.raises(Diverged, match="training codes are not finite"):
        linear_probe(x / 0, y, x, y)
    for wrong in ((), (0.0,), (-1.0,), ("a",)):
        with pytest.raises(RecipeError, match="penalt"):
            linear_probe(x, y, x, y, penalties=wrong)
