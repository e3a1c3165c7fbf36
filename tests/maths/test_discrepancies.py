import math
from itertools import permutations

import pytest
import torch

from autoencode.maths.discrepancies import mean_discrepancy, sliced_wasserstein, squared_distances


def gaussian_kernel(squares):
    return (-squares / 2).exp()


def points(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_squared_distances_and_their_gradient():
    a, b = points(5, 3), points(4, 3, seed=1)
    expected = torch.tensor([[sum((x - y) ** 2) for y in b] for x in a])
    torch.testing.assert_close(squared_distances(a, b), expected)
    assert torch.autograd.gradcheck(squared_distances, (a.requires_grad_(), b.requires_grad_()))
    # Equal points, where the distance itself has no derivative.
    (slope,) = torch.autograd.grad(squared_distances(a, a).sum(), a)
    torch.testing.assert_close(slope, 4 * (len(a) * a - a.sum(0)))


def test_small_distances_of_far_codes_survive_float32():
    a = torch.tensor([[1000.0, 0.0]])
    assert squared_distances(a, a + torch.tensor([0.0, 0.01])).item() == pytest.approx(
        1e-4, rel=1e-3
    )


def test_mean_discrepancy_is_the_sum_over_pairs():
    a, b = points(2, 5, 3), points(2, 4, 3, seed=1)
    found = mean_discrepancy(a, b, gaussian_kernel)
    for s in range(2):

        def k(x, y):
            return math.exp(-((x - y) ** 2).sum() / 2)

        x, y = a[s], b[s]
        xx = sum(k(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
        yy = sum(k(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
        xy = sum(k(i, j) for i in x for j in y) / 20
        assert found[s].item() == pytest.approx(xx + yy - 2 * xy)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_mean_discrepancy_is_unbiased(shift):
    """Against the closed form for N(0, 1) and N(shift, 1) under the kernel exp(−r²/2)."""
    a, b = points(40_000, 5, 1), points(40_000, 5, 1, seed=1) + shift
    found = mean_discrepancy(a, b, gaussian_kernel)
    # The difference of two draws is N(·, 2), so that a mean kernel is √⅓ exp(−shift²/6).
    exact = 2 * math.sqrt(1 / 3) * (1 - math.exp(-(shift**2) / 6))
    error = 4 * found.std().item() / math.sqrt(len(found))
    assert found.mean().item() == pytest.approx(exact, abs=error)
    assert error < 0.01


def test_mean_discrepancy_gradients():
    a, b = points(4, 2).requires_grad_(), points(3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: mean_discrepancy(x, y, gaussian_kernel), (a, b))


def test_a_single_draw_tells_nothing():
    a = points(1, 2).requires_grad_()
    found = mean_discrepancy(a, points(5, 2), gaussian_kernel)
    found.backward()
    assert found.item() == 0
    assert (a.grad == 0).all()


def test_sliced_wasserstein_in_one_dimension_is_the_wasserstein_distance():
    a, b = points(2, 6, 1), points(2, 6, 1, seed=1)
    found = sliced_wasserstein(a, b, 3)
    for s in range(2):
        x, y = a[s].flatten(), b[s].flatten()
        cheapest = min(
            (x - y[list(order)]).square().mean().item() for order in permutations(range(6))
        )
        assert found[s].item() == pytest.approx(cheapest)


def test_sliced_wasserstein_of_a_shift():
    """A shift by v is |⟨θ, v⟩| on each line: on average ‖v‖² / d."""
    torch.manual_seed(0)
    a, v = points(20, 3), torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64)
    assert sliced_wasserstein(a, a + v, 40_000).item() == pytest.approx(3.0, abs=0.05)
    assert sliced_wasserstein(a, a[torch.randperm(20)], 10).item() == pytest.approx(0)


def test_sliced_wasserstein_gradients():
    def seeded(x, y):
        torch.manual_seed(0)
        return sliced_wasserstein(x, y, 5)

    pair = points(4, 2).requires_grad_(), points(4, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(seeded, pair)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = seeded(*(each.float() for each in pair))
    assert narrow.dtype == torch.float32
    assert narrow.item() == pytest.approx(seeded(*pair).item(), rel=1e-5)
