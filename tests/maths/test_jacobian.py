import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from autoencode.maths import squared_jacobian


def network(*norm):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), *norm, nn.Tanh(), nn.Linear(7, 3)).double()


def examples(rows=4):
    torch.manual_seed(1)
    return torch.randn(rows, 5, dtype=torch.float64)


def by_hand(f, x):
    """One example at a time, through torch's own Jacobian."""
    rows = [jacobian(lambda one: f(one[None])[0], one, create_graph=True) for one in x]
    return torch.stack([row.square().sum() for row in rows])


def test_exact_value_is_torchs():
    f, x = network(), examples()
    torch.testing.assert_close(squared_jacobian(f, x), by_hand(f, x))


def test_gradients_are_those_of_the_exact_value():
    f, x = network(), examples()
    ours = torch.autograd.grad(squared_jacobian(f, x).sum(), f[0].weight)
    theirs = torch.autograd.grad(by_hand(f, x).sum(), f[0].weight)
    torch.testing.assert_close(ours, theirs)


def test_gradients_agree_with_finite_differences():
    x = examples(2)
    weight = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w: squared_jacobian(lambda x: (x @ w.T).sin(), x), weight
    )


def test_probes_are_unbiased_and_more_of_them_vary_less():
    f, x = network(), examples(1).expand(5_000, 5)
    exact = by_hand(f, x[:1]).item()
    torch.manual_seed(0)
    with torch.no_grad():
        one, ten = (squared_jacobian(f, x, probes=probes) for probes in (1, 10))
    for found in (one, ten):
        error = 4 * found.std().item() / len(x) ** 0.5
        assert found.mean().item() == pytest.approx(exact, abs=error)
    assert ten.std() < 0.4 * one.std()


@pytest.mark.parametrize("probes", [None, 2])
def test_without_gradients_the_value_is_the_same(probes):
    f, x = network(), examples()
    torch.manual_seed(0)
    with_graph = squared_jacobian(f, x, probes)
    torch.manual_seed(0)
    with torch.no_grad():
        without = squared_jacobian(f, x, probes)
        assert not torch.is_grad_enabled()
    assert with_graph.requires_grad
    assert not without.requires_grad
    torch.testing.assert_close(without, with_graph.detach(), rtol=0, atol=0)
    assert not x.requires_grad


def test_leading_dimensions_are_examples():
    f, x = network(), examples(6).reshape(2, 3, 5)
    found = squared_jacobian(f, x, batch_dims=2)
    torch.testing.assert_close(found, by_hand(f, x.reshape(6, 5)).reshape(2, 3))


def test_outputs_and_inputs_of_any_shape():
    x = torch.rand(3, 2, 4, dtype=torch.float64)
    found = squared_jacobian(lambda x: torch.stack([2 * x, -x], 1), x)
    torch.testing.assert_close(found, torch.full((3,), (4 + 1) * 8.0, dtype=torch.float64))


@pytest.mark.long
def test_batch_normalisation_counts_what_one_example_does_to_all():
    """The expected value is that of the whole batch's Jacobian, which a plain sum would cancel."""
    f, x = network(nn.BatchNorm1d(7).double()), examples(6)
    whole = jacobian(f, x)  # [outputs' example, output, input's example, input]
    expected = whole.square().sum((0, 1, 3))
    torch.manual_seed(0)
    with torch.no_grad():
        found = torch.stack([squared_jacobian(f, x) for _ in range(1_500)])
    error = 4 * found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - expected).abs() < error).all()
    torch.testing.assert_close(squared_jacobian(f.eval(), x), by_hand(f, x))
