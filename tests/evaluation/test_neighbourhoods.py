import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation.metrics import neighbourhoods as module
from autoencode.evaluation.metrics.neighbourhoods import (
    continuity,
    intrinsic_dimension,
    trustworthiness,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand(far, near, k):
    """1 − the mean excess rank in `far` of the k nearest in `near`, scaled."""
    n, excess = len(far), 0
    for i in range(n):
        apart, beside = (np.linalg.norm(cloud - cloud[i], axis=1) for cloud in (far, near))
        rank = np.argsort(np.argsort(apart))  # its own is 0
        close = np.argsort(beside)[1 : k + 1]
        excess += sum(max(0, rank[j] - k) for j in close)
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))


def test_both_by_hand():
    x = normal(50, 4, 3)
    z = x.flatten(1)[:, :2] + 0.3 * normal(50, 2, seed=1)
    a, b = x.flatten(1).double().numpy(), z.double().numpy()
    for k in (1, 5):
        assert trustworthiness(x, z, k) == pytest.approx(by_hand(a, b, k), rel=1e-12)
        assert continuity(x, z, k) == pytest.approx(by_hand(b, a, k), rel=1e-12)
    assert trustworthiness(x, z) != continuity(x, z)


def test_codes_that_keep_all_neighbours():
    x = (255 * torch.rand(100, 6, 5, generator=torch.Generator().manual_seed(0))).to(torch.uint8)
    turn = torch.linalg.qr(normal(30, 30, seed=2).double()).Q
    z = x.flatten(1).double() @ turn / 255 + 3
    assert trustworthiness(x, z) == pytest.approx(1, abs=1e-4)
    assert continuity(x, z) == pytest.approx(1, abs=1e-4)
    random = normal(100, 2)
    assert trustworthiness(x, random) == pytest.approx(0.5, abs=0.05)
    assert continuity(x, random) == pytest.approx(0.5, abs=0.05)


def test_what_each_of_them_sees():
    # A plane folded in two pushes strangers together and tears nothing.
    sheet = torch.rand(400, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    folded = torch.stack([sheet[:, 0].abs(), sheet[:, 1]], 1)
    assert continuity(sheet, folded) > 0.98 > 0.95 > trustworthiness(sheet, folded)
    # Unfolding tears them apart again.
    assert trustworthiness(folded, sheet) > 0.98 > 0.95 > continuity(folded, sheet)


def test_of_many_examples_some_are_drawn(monkeypatch):
    x = normal(900, 5)
    z = x[:, :2]
    whole = trustworthiness(x, z)
    monkeypatch.setattr(module, "MAX_RANKED", 500)
    rows = module.subset(900, 500, seed=0)
    assert len(set(rows)) == 500
    assert trustworthiness(x, z) == trustworthiness(x[rows], z[rows])
    assert trustworthiness(x, z) == pytest.approx(whole, abs=0.03)
    assert trustworthiness(x, z, seed=1) != trustworthiness(x, z)
    # Large examples: fewer, but more than the neighbours need.
    monkeypatch.setattr(module, "MAX_NUMBERS", 5 * 100)
    rows = module.subset(900, 100, seed=0)
    assert continuity(x, z) == continuity(x[rows], z[rows])
    monkeypatch.setattr(module, "MAX_NUMBERS", 5)
    rows = module.subset(900, 21, seed=0)
    assert continuity(x, z) == continuity(x[rows], z[rows])


@pytest.mark.parametrize(("d", "tolerance"), [(1, 0.06), (2, 0.06), (5, 0.06), (10, 0.15)])
def test_the_dimension_of_a_normal_in_more_dimensions(d, tolerance):
    frame = torch.linalg.qr(normal(24, d, seed=1)).Q
    codes = (normal(5_000, d) @ frame.T + 7).reshape(-1, 4, 6)
    assert intrinsic_dimension(codes) == pytest.approx(d, rel=tolerance)


def test_the_dimension_is_a_slope():
    codes = normal(200, 3)
    apart = KDTree(codes.double().numpy()).query(codes.double().numpy(), 3)[0]
    ratios = np.sort(apart[:, 2] / apart[:, 1])[:180]
    levels = -np.log(1 - np.arange(1, 181) / 201)
    slope = np.linalg.lstsq(np.log(ratios)[:, None], levels)[0].item()
    assert intrinsic_dimension(codes) == pytest.approx(slope, rel=1e-6)


def test_a_curved_line_has_one_dimension():
    t = 6 * torch.rand(3_000, generator=torch.Generator().manual_seed(0))
    spiral = torch.stack([t * t.cos(), t * t.sin(), t], 1)
    assert intrinsic_dimension(spiral) == pytest.approx(1, rel=0.06)


def test_codes_that_coincide_count_once():
    codes = normal(1_500, 3)
    expected = intrinsic_dimension(codes)
    assert expected == pytest.approx(3, rel=0.1)
    assert intrinsic_dimension(torch.cat([codes[:500], codes])) == pytest.approx(expected, 1e-9)
    with pytest.raises(DataError, match=r"Most .* coincide: 100 are distinct"):
        intrinsic_dimension(codes[:100].repeat(3, 1))


def test_far_from_the_origin_nothing_is_lost():
    codes = normal(500, 3).double()
    assert intrinsic_dimension(codes + 1e6) == pytest.approx(intrinsic_dimension(codes), rel=1e-4)


def test_discrete_codes_have_no_dimension():
    for codes in (
        torch.zeros(50, 2),
        torch.randint(0, 3, (400, 2), generator=torch.Generator().manual_seed(0)),
        torch.cartesian_prod(*[torch.arange(12.0)] * 2),  # each once, on a grid
    ):
        with pytest.raises(DataError, match="Discrete codes have no intrinsic dimension"):
            intrinsic_dimension(codes)


def test_of_many_codes_some_are_drawn_for_the_dimension(monkeypatch):
    codes = normal(3_000, 2)
    monkeypatch.setattr(module, "MAX_CODES", 1_500)
    expected = intrinsic_dimension(codes[module.subset(3_000, 1_500, 4)])
    assert intrinsic_dimension(codes, seed=4) == expected


def test_what_has_no_neighbours():
    x = normal(20, 4)
    for judge in (trustworthiness, continuity):
        with pytest.raises(DataError, match="20 examples and 19 codes"):
            judge(x, x[:19])
        with pytest.raises(DataError, match=r"10 neighbours .* more than 20 examples"):
            judge(x, x)
        with pytest.raises(RecipeError, match="k must be"):
            judge(x, x, k=0)
        with pytest.raises(Diverged, match="not finite"):
            judge(x, x / 0, k=2)
    with pytest.raises(DataError, match="3 codes or more"):
        intrinsic_dimension(x[:2])
    with pytest.raises(Diverged, match="not finite"):
        intrinsic_dimension(x * torch.inf)
