"""The distribution of rows of a table against torch's own distributions."""

import pytest
import torch
from torch.distributions import Categorical, Normal, OneHotCategorical

from autoencode.maths import RowDistribution

WIDTHS = (0, 3, 0, 0, 2)  # numbers, and blocks of three and two categories
D = 8


@pytest.fixture
def parts():
    torch.manual_seed(0)
    theta = torch.randn(5, 4, D)  # five draws of codes, four rows
    scale = torch.tensor([0.5, 1.0, 2.0])
    x = torch.randn(4, D)
    x[:, 1:4] = torch.eye(3)[torch.tensor([0, 2, 1, 1])]
    x[:, 6:8] = torch.eye(2)[torch.tensor([0, 1, 1, 0])]
    return theta, scale, x


def reference(theta, scale, x, skip_number=None, skip_block=None):
    total = torch.zeros(5, 4)
    for i, place in enumerate((0, 4, 5)):
        if i != skip_number:
            total += Normal(theta[..., place], scale[i]).log_prob(x[:, place])
    for i, block in enumerate((slice(1, 4), slice(6, 8))):
        if i != skip_block:
            total += Categorical(logits=theta[..., block]).log_prob(x[:, block].argmax(-1))
    return total


def test_log_prob_is_that_of_independent_columns(parts):
    theta, scale, x = parts
    found = RowDistribution(theta, scale, WIDTHS).log_prob(x)
    torch.testing.assert_close(found, reference(theta, scale, x))


@pytest.mark.parametrize(("number", "block"), [(0, None), (2, None), (None, 0), (None, 1), (1, 1)])
def test_missing_cells_are_left_out(parts, number, block):
    theta, scale, x = parts
    gaps = x.clone()
    if number is not None:
        gaps[:, (0, 4, 5)[number]] = torch.nan
    if block is not None:
        gaps[:, (slice(1, 4), slice(6, 8))[block]] = torch.nan
    theta.requires_grad_()
    found = RowDistribution(theta, scale, WIDTHS).log_prob(gaps)
    torch.testing.assert_close(found, reference(theta, scale, x, number, block))
    (gradient,) = torch.autograd.grad(found.sum(), theta)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("widths", [WIDTHS, (0,) * D])
@pytest.mark.parametrize("shared", [True, False])
def test_moments_are_those_of_samples(widths, shared):
    torch.manual_seed(0)
    numbers = sum(width == 0 for width in widths)
    scale = torch.tensor(0.7) if shared else torch.linspace(0.5, 2, numbers)
    rows = RowDistribution(torch.randn(2, D), scale, widths)
    drawn = rows.sample((20_000,))
    assert drawn.shape == (20_000, 2, D)
    torch.testing.assert_close(drawn.mean(0), rows.mean, atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.var(0), rows.variance, atol=0.15, rtol=0.05)


def test_samples_of_categories_are_one_hot():
    rows = RowDistribution(torch.zeros(3, 2), torch.tensor([]), (2,))
    drawn = rows.sample()
    assert set(drawn.sum(-1).tolist()) == {1.0}
    assert torch.isfinite(OneHotCategorical(logits=torch.zeros(3, 2)).log_prob(drawn)).all()
