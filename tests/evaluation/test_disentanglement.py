import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.feature_selection import mutual_info_regression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation.metrics.disentanglement import (
    dci,
    factor_vae_score,
    modularity,
    mutual_information_gap,
    sap,
)

pytestmark = pytest.mark.long

VALUES = (3, 6, 20, 20, 8)
N = 1_200
UNORDERED = (0, 4)


def made(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([rng.integers(v, size=n) for v in VALUES], 1))


def same(factors, seed=0):
    """The factors themselves, moved, scaled and in another order."""
    return (factors[:, [3, 0, 4, 1, 2]] * torch.tensor([0.1, -7, 1, 30, -2]) + 5).float()


def turned(factors, seed=0):
    spread = factors.double() - (torch.tensor(VALUES) - 1) / 2
    spread /= ((torch.tensor(VALUES).double() ** 2 - 1) / 12).sqrt()
    rotation = np.linalg.qr(np.random.default_rng(7).normal(size=(5, 5)))[0]
    return (spread @ torch.from_numpy(rotation)).float()


def noise(factors, seed=0):
    return torch.randn(len(factors), 5, generator=torch.Generator().manual_seed(seed))


def with_noise(factors, seed=0):
    return torch.cat([same(factors), noise(factors, seed)], 1)


def all_of(codes):
    """MIG, SAP, the three of DCI, the FactorVAE score and the modularity."""
    v, w = made(), made(seed=1)
    z = codes(v, 0)
    return np.array(
        [
            mutual_information_gap(z, v),
            sap(z, v),
            *dci(codes(w, 1), w, z, v, UNORDERED),
            factor_vae_score(z, v),
            modularity(z, v),
        ]
    )


def test_codes_that_are_the_factors_get_all():
    assert all_of(same).min() > 0.95  # of few codes the plug-in estimate is a little high


def test_numbers_that_say_nothing_take_little_from_good_ones():
    assert all_of(with_noise)[:6].min() > 0.93


def test_a_rotation_keeps_the_information_and_no_more():
    found = all_of(turned)
    assert found[:4].max() < 0.5
    assert found[4] > 0.7
    assert found[5] < 0.9
    assert found[6] < 0.95


def test_noise_gets_nothing_or_what_chance_gives():
    mig, sap_, *shares, votes, modular = all_of(noise)
    assert max(mig, sap_, *shares) < 0.02
    assert votes == pytest.approx(1 / 5, abs=0.05)
    assert 0.3 < modular < 0.95  # as its docstring warns


def table(z, v, bins=20):
    edges = np.linspace(z.min(), z.max(), bins + 1)
    place = np.clip(np.digitize(z, edges) - 1, 0, bins - 1)
    return np.array([[np.sum((place == b) & (v == k)) for k in np.unique(v)] for b in range(bins)])


def by_hand(cells):
    """I = H(z) + H(v) − H(z, v)."""
    return entropy(cells.sum(0)) + entropy(cells.sum(1)) - entropy(cells.ravel())


def test_mig_and_modularity_by_hand():
    v = made(500)
    z = turned(v).double()
    found = np.array([[by_hand(table(a, b)) for b in v.numpy().T] for a in z.numpy().T])
    ranked = np.sort(found, 0)
    entropies = [entropy(np.unique(b, return_counts=True)[1]) for b in v.numpy().T]
    mig = ((ranked[-1] - ranked[-2]) / entropies).mean()
    assert mutual_information_gap(z, v) == pytest.approx(mig, abs=1e-9)
    shares = []
    for row in found:
        best = row.argmax()
        rest = sum(row[k] ** 2 for k in range(5) if k != best)
        shares.append(1 - rest / (row[best] ** 2 * 4))
    assert modularity(z, v) == pytest.approx(np.mean(shares), abs=1e-9)


def test_mig_of_whole_codes_is_that_of_sklearn():
    v = made()
    rng = np.random.default_rng(0)
    mixed = [np.where(rng.random(N) < 0.7, v[:, k], v[:, k - 1] % VALUES[k]) for k in range(5)]
    found = np.array([[mutual_info_score(a, b) for b in v.numpy().T] for a in mixed])
    ranked = np.sort(found, 0) / [mutual_info_score(b, b) for b in v.numpy().T]
    # Each of at most 20 whole numbers has a bin of its own.
    mig = mutual_information_gap(torch.from_numpy(np.stack(mixed, 1)), v)
    assert mig == pytest.approx((ranked[-1] - ranked[-2]).mean(), abs=1e-9)


def test_mutual_information_is_near_an_estimate_of_another_kind():
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(0, 4, (N, 1), generator=generator)
    z = v + torch.randn(N, 1, generator=generator)
    theirs = mutual_info_regression(v.numpy(), z[:, 0].numpy(), discrete_features=True)[0]
    assert mutual_information_gap(z, v) * np.log(4) == pytest.approx(theirs, abs=0.03)


def test_sap_by_regression_is_that_of_sklearn():
    v = made(300)
    z = turned(v)
    scores = np.array(
        [
            [LinearRegression().fit(a[:, None], b).score(a[:, None], b) for b in v.numpy().T]
            for a in z.double().numpy().T
        ]
    )
    ranked = np.sort(scores, 0)
    assert sap(z, v) == pytest.approx((ranked[-1] - ranked[-2]).mean(), abs=1e-6)


def test_sap_of_names_is_the_accuracy_of_thresholds():
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(0, 3, (N, 1), generator=generator)
    v[: N // 2] = 1  # most are of one value; balanced accuracy does not mind
    order = torch.tensor([0.0, 9.0, 4.0])[v]  # in no order of the names
    z = torch.cat([order + torch.rand(N, 1, generator=generator), torch.zeros(N, 1)], 1)
    assert sap(z, v, {0}) == pytest.approx(1 - 1 / 3)
    # The third value lies in the middle of the second: two thresholds cost half of the second.
    z[:, 0] = torch.where(v[:, 0] == 2, 9.5, z[:, 0])
    assert sap(z, v, {0}, seed=3) == pytest.approx(2.5 / 3 - 1 / 3, abs=0.03)
    # It lies anywhere in the second, and no threshold helps.
    z[:, 0] = torch.where(v[:, 0] == 2, 9 + torch.rand(N, generator=generator), z[:, 0])
    assert sap(z, v, {0}) == pytest.approx(2 / 3 - 1 / 3, abs=0.05)


def test_dci_knows_a_factor_spread_over_two_numbers_from_a_number_of_two_factors():
    def split(v):
        low, high = v[:, 0] % 4, v[:, 0] // 4
        return torch.stack([low, high, v[:, 1]], 1).double()

    def joined(v):
        return torch.stack([v[:, 0] * 16 + v[:, 1], v[:, 2]], 1).double()

    rng = np.random.default_rng(0)
    v, w = (torch.from_numpy(rng.integers(16, size=(N, 3))) for _ in range(2))
    found = dci(split(w), w[:, :2], split(v), v[:, :2], (0,))
    assert found.disentanglement > 0.98
    # Two numbers share one of two factors: 1 − ln 2 / ln 3 for it where they share evenly.
    assert found.completeness == pytest.approx((1 + 1 - np.log(2) / np.log(3)) / 2, abs=0.05)
    assert found.informativeness > 0.98
    found = dci(joined(w), w, joined(v), v)
    assert found.disentanglement < 0.7
    assert found.completeness > 0.98


def test_the_informativeness_is_measured_on_test_codes():
    v, w = made(), made(seed=1)
    wrong = same(v)[torch.from_numpy(np.random.default_rng(0).permutation(N))]
    found = dci(same(w), w, wrong, v, UNORDERED)
    assert found.disentanglement > 0.98
    assert found.informativeness < 0.01


def test_the_factor_vae_score_by_hand():
    """All variances known: the number that stands for a factor is still where that is fixed."""
    v = made(seed=2)[:, 2:4]
    z = torch.cat([v, 1e3 * v[:, :1] + torch.randn(N, 1)], 1)
    assert factor_vae_score(z, v) > 0.99
    # One number for both factors: it can stand for one of them only.
    assert factor_vae_score(v.sum(1, keepdim=True), v) == pytest.approx(0.5, abs=0.05)
    assert factor_vae_score(torch.zeros(N, 4), v) == 0.5


def test_the_seed_decides_and_global_state_is_left_alone():
    v = made(200)
    z = turned(v) + noise(v)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for measure in (
        lambda seed: sap(z, v, UNORDERED, seed),
        lambda seed: dci(z, v, z, v, UNORDERED, seed),
        lambda seed: factor_vae_score(z, v, seed),
    ):
        assert measure(0) == measure(0) != measure(1)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()  # noqa: NPY002


EACH = [
    lambda z, v: mutual_information_gap(z, v),
    lambda z, v: modularity(z, v),
    lambda z, v: sap(z, v),
    lambda z, v: dci(z, v, z, v),
    lambda z, v: factor_vae_score(z, v),
]


@pytest.mark.parametrize("measure", EACH)
def test_any_shape_of_code_and_factors_that_do_not_vary(measure):
    v = made(200)
    z = with_noise(v)[:, :8]
    bare = measure(z, v)
    assert measure(z.reshape(200, 2, 2, 2), v) == bare
    still = torch.cat([v[:, :2], torch.full((200, 1), 4), v[:, 2:]], 1)
    assert measure(z, still) == bare


@pytest.mark.parametrize("measure", EACH)
def test_codes_of_one_number_and_dead_numbers(measure):
    v = made(200)
    for z in (v[:, :1].float(), torch.zeros(200, 3), torch.cat([v, torch.ones(200, 1)], 1)):
        assert np.isfinite(measure(z, v)).all()


@pytest.mark.parametrize("measure", EACH)
def test_what_cannot_be_measured_is_refused(measure):
    v = made(50)
    z = same(v)
    for codes, factors in (
        (z, v[:-1]),
        (z, v[:, 0]),
        (z, v.double()),
        (z[:0], v[:0]),
        (z, torch.zeros_like(v)),
    ):
        with pytest.raises(DataError):
            measure(codes, factors)
    z[3, 1] = torch.nan
    with pytest.raises(Diverged, match="not finite"):
        measure(z, v)


def test_options_that_mean_nothing_are_refused():
    v = made(50)
    with pytest.raises(RecipeError, match="bins"):
        mutual_information_gap(v, v, bins=1)
    with pytest.raises(DataError, match="5 columns"):
        sap(v, v, (5,))
    with pytest.raises(DataError, match="test codes"):
        dci(v, v, v[:, :3], v)
    for measure in (modularity, factor_vae_score):
        with pytest.raises(DataError, match="2 factors"):
            measure(v, v[:, :1])
    own = torch.arange(50)[:, None].expand(50, 2)
    with pytest.raises(DataError, match="share a value"):
        factor_vae_score(own, own)
