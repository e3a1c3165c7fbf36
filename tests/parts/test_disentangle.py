import math
from itertools import permutations

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.terms import disentangle
from autoencode.parts.terms.disentangle import InferredPriorMatch, TotalCorrelation


def forward_pass(mean, scale, z=None):
    q = Independent(Normal(mean, scale), mean.dim() - 1)
    x = torch.zeros(len(mean), 8, 8)
    return ForwardPass(x, x, None, Code(mean if z is None else z, q), None, None, None)


def sizes(d, n):
    return Sizes((8, 8), (d,), n=n)


def posteriors(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return mean, 0.3 + torch.rand(n, d, generator=generator, dtype=torch.float64)


def density(z, mean, scale):
    """N(z; mean, scale²) of single numbers."""
    return math.exp(-((z - mean) ** 2) / (2 * scale**2)) / (scale * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_total_correlation_is_its_definition_written_in_loops(estimator):
    n, batch, d = 50, 4, 3
    mean, scale = posteriors(batch, d)
    z = mean + 0.2
    found = TotalCorrelation(sizes(d, n), estimator=estimator)(forward_pass(mean, scale, z))
    for i in range(batch):
        weight = [1 / (batch - 1)] * batch
        weight[i] = 1 / n
        weight[(i + 1) % batch] = (n - batch + 1) / (n * (batch - 1))
        if estimator == "weighted":
            weight = [1 / (n * batch)] * batch
        else:
            assert sum(weight) == pytest.approx(1)
        each = [[density(z[i, k], mean[j, k], scale[j, k]) for k in range(d)] for j in range(batch)]
        joint = sum(weight[j] * math.prod(each[j]) for j in range(batch))
        marginals = [sum(weight[j] * each[j][k] for j in range(batch)) for k in range(d)]
        assert found[i].item() == pytest.approx(math.log(joint) - sum(map(math.log, marginals)))


def test_stratified_weights_are_unbiased_for_the_mean_posterior():
    """Over all ordered batches that hold an example, q(z) is on average that of all n."""
    n, batch = 5, 3
    mean, scale = posteriors(n, 2)
    z = mean[:1] + 0.1
    exact = Normal(mean, scale).log_prob(z).sum(1).exp().mean()
    weights = TotalCorrelation(sizes(2, n))._log_weights(mean[:batch]).exp()[0]
    found = []
    for others in permutations(range(1, n), batch - 1):
        rows = [0, *others]
        found.append((weights * Normal(mean[rows], scale[rows]).log_prob(z).sum(1).exp()).sum())
    assert torch.stack(found).mean().item() == pytest.approx(exact.item())


@pytest.mark.long
def test_total_correlation_of_a_known_distribution():
    """Means drawn from a correlated normal: q(z) is normal too, and its TC −½ ln(1 − ρ²)."""
    torch.manual_seed(0)
    correlation = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    mean = MultivariateNormal(torch.zeros(2), correlation).sample((2_000,))
    scale = torch.full_like(mean, 0.5)
    z = mean + scale * torch.randn_like(mean)
    found = TotalCorrelation(sizes(2, 1_000_000))(forward_pass(mean, scale, z)).mean().item()
    exact = -0.5 * math.log(1 - (0.8 / 1.25) ** 2)
    assert found == pytest.approx(exact, abs=0.05)
    # The weighted estimate is off by its constant.
    weighted = TotalCorrelation(sizes(2, 1_000_000), estimator="weighted")(
        forward_pass(mean, scale, z)
    )
    constant = math.log(1_000_000 * 2_000) - math.log(2_000)
    assert weighted.mean().item() == pytest.approx(exact + constant, abs=0.05)


def test_total_correlation_takes_samples_and_works_in_pieces(monkeypatch):
    mean, scale = posteriors(6, 2)
    z = mean + scale * torch.randn(3, 6, 2, dtype=torch.float64)
    term = TotalCorrelation(sizes(2, 100))
    whole = term(forward_pass(mean, scale, z))
    assert whole.shape == (3, 6)
    for s in range(3):
        torch.testing.assert_close(whole[s], term(forward_pass(mean, scale, z[s])))
    monkeypatch.setattr(disentangle, "MAX_DENSITIES", 6 * 2 * 4)
    torch.testing.assert_close(term(forward_pass(mean, scale, z)), whole)


def test_total_correlation_gradients_and_small_batches():
    mean, scale = (each.requires_grad_() for each in posteriors(3, 2))
    noise = torch.randn(3, 2, dtype=torch.float64)

    def loss(m, s):
        return TotalCorrelation(sizes(2, 10))(forward_pass(m, s, m + s * noise))

    assert torch.autograd.gradcheck(loss, (mean, scale))
    for batch in (1, 2):
        for n in (0, 1, 100):
            found = TotalCorrelation(sizes(2, n))(forward_pass(mean[:batch], scale[:batch]))
            assert found.isfinite().all()
    assert TotalCorrelation(sizes(2, 9))(forward_pass(mean[:1], scale[:1])).item() == pytest.approx(
        0
    )


@pytest.mark.parametrize("version", [1, 2])
def test_dip_is_the_distance_from_the_unit_covariance(version):
    mean, scale = posteriors(30, 3)
    covariance = torch.cov(mean.T, correction=0)
    if version == 2:
        covariance = covariance + torch.diag((scale**2).mean(0))
    off = sum(covariance[i, j] ** 2 for i in range(3) for j in range(3) if i != j)
    on = sum((covariance[i, i] - 1) ** 2 for i in range(3))
    term = InferredPriorMatch(sizes(3, 100), version=version, lambda_od=2.0, lambda_d=5.0)
    found = term(forward_pass(mean, scale))
    assert found.shape == ()
    assert found.item() == pytest.approx((2 * off + 5 * on).item())


def test_dip_2_sees_the_covariance_of_the_codes():
    """Drawn codes have the covariance that version 2 computes: the law of total variance."""
    torch.manual_seed(0)
    mean, scale = posteriors(5, 2)
    z = (mean + scale * torch.randn(100_000, 5, 2, dtype=torch.float64)).flatten(0, 1)
    covariance = torch.cov(z.T)
    expected = 2 * covariance[0, 1] ** 2 + (covariance.diagonal() - 1).square().sum()
    found = InferredPriorMatch(sizes(2, 9), version=2, lambda_od=1.0, lambda_d=1.0)
    assert found(forward_pass(mean, scale)).item() == pytest.approx(expected.item(), abs=0.02)


def test_dip_is_nought_for_white_codes_and_finite_for_one():
    white = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    term = InferredPriorMatch(sizes(2, 9))
    assert term(forward_pass(white, torch.ones_like(white))).item() == pytest.approx(0)
    assert term(forward_pass(white[:1], torch.ones(1, 2))).item() == pytest.approx(200)
    maps = Sizes((8, 8), (2, 2, 2))
    mean = torch.randn(5, 2, 2, 2)
    flat = InferredPriorMatch(sizes(8, 9))(forward_pass(mean.flatten(1), torch.ones(5, 8)))
    torch.testing.assert_close(
        InferredPriorMatch(maps)(forward_pass(mean, torch.ones_like(mean))), flat
    )


@pytest.mark.parametrize("version", [1, 2])
def test_dip_gradients(version):
    mean, scale = (each.requires_grad_() for each in posteriors(4, 2))
    term = InferredPriorMatch(sizes(2, 9), version=version)
    assert torch.autograd.gradcheck(lambda m, s: term(forward_pass(m, s)), (mean, scale))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        exact = term(forward_pass(mean, scale)).item()
        assert term(forward_pass(mean.float(), scale.float())).item() == pytest.approx(
            exact, rel=1e-5
        )


@pytest.mark.parametrize("term", [TotalCorrelation, InferredPriorMatch])
def test_other_posteriors_are_refused(term):
    assert "normal-posterior" in term.needs
    half = Independent(Normal(torch.zeros(3, 2, 2), 1.0), 1)
    q = MixtureSameFamily(Categorical(torch.ones(3, 2)), half)
    x = torch.zeros(3, 8, 8)
    with pytest.raises(RecipeError, match=r"posterior is not a product .* \"gaussian\""):
        term(sizes(2, 9))(ForwardPass(x, x, None, Code(torch.zeros(3, 2), q), None, None, None))
