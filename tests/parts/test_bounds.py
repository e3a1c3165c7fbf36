"""Importance-weighted bounds, against twins written down from the definitions."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.terms import TERMS
from autoencode.parts.terms.bounds import (
    CombinationImportanceWeighted,
    DoublyReparametrised,
    ImportanceWeighted,
    MultiplyImportanceWeighted,
    PartiallyImportanceWeighted,
)

SIZES = Sizes((5,), (3,), n=1000)


class Toy(nn.Module):
    """Encoder, decoder (which mixes the batch, as normalisation does) and a learned prior."""

    def __init__(self, normed=True):
        super().__init__()
        self.encoder = nn.Linear(5, 6)
        norm = nn.BatchNorm1d(7) if normed else nn.Identity()
        self.decoder = nn.Sequential(nn.Linear(3, 7), norm, nn.Tanh(), nn.Linear(7, 5))
        self.prior_mean = nn.Parameter(torch.randn(3))
        self.double()

    def forward_pass(self, x, noise=None):
        """A pass with the given noise [S, B, 3]; without it, of the mean code."""
        mean, log_scale = self.encoder(x).chunk(2, -1)
        q = Independent(Normal(mean, log_scale.exp()), 1)
        z = mean if noise is None else mean + log_scale.exp() * noise
        image = self.decoder(z.reshape(-1, 3)).reshape(*z.shape[:-1], 5)
        px = Independent(Normal(image, torch.ones_like(image)), 1)
        pz = Independent(Normal(self.prior_mean, torch.ones_like(self.prior_mean)), 1)
        return ForwardPass(x, x, None, Code(z, q), px, pz, self)


def log_weights(p):
    """[S, B], with the densities written out."""

    def normal(x, mean, scale):
        return (
            -((x - mean) ** 2) / (2 * scale**2) - scale.log() - 0.5 * math.log(2 * math.pi)
        ).sum(-1)

    one = torch.ones((), dtype=torch.float64)
    q = p.code.q.base_dist
    decoded = normal(p.x, p.px.mean, one)
    return decoded + normal(p.code.z, p.pz.mean, one) - normal(p.code.z, q.loc, q.scale)


def iwae(p):
    return -log_weights(p).exp().mean(0).log()


def miwae(p, groups):
    weights = log_weights(p).exp()  # any assignment to groups is one; this is the term's
    return torch.stack([-weights[m::groups].mean(0).log() for m in range(groups)]).mean(0)


@pytest.fixture
def toy():
    torch.manual_seed(0)
    return Toy(), torch.randn(4, 5).double(), torch.randn(6, 4, 3).double()


def gradients(model, loss):
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss.mean(), parameters), strict=True))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (ImportanceWeighted(SIZES), iwae),
        (DoublyReparametrised(SIZES), iwae),
        (MultiplyImportanceWeighted(SIZES, groups=2), lambda p: miwae(p, 2)),
        (MultiplyImportanceWeighted(SIZES, groups=1), iwae),
        (MultiplyImportanceWeighted(SIZES, groups=6), lambda p: -log_weights(p).mean(0)),
        (PartiallyImportanceWeighted(SIZES, groups=3), iwae),
        (
            CombinationImportanceWeighted(SIZES, elbo_share=0.3),
            lambda p: -0.3 * log_weights(p).mean(0) + 0.7 * iwae(p),
        ),
    ],
)
def test_values_are_the_bounds(toy, term, expected):
    model, x, noise = toy
    found = term(model.forward_pass(x, noise))
    assert found.shape == (4,)
    torch.testing.assert_close(found, expected(model.forward_pass(x, noise)))
    with torch.no_grad():  # as validation does
        torch.testing.assert_close(term(model.forward_pass(x, noise)), found.detach())


@pytest.mark.parametrize("kind", ["iwae", "miwae", "ciwae"])
def test_gradients_of_plain_bounds(toy, kind):
    model, x, noise = toy
    twin = {
        "iwae": iwae,
        "miwae": lambda p: miwae(p, 2),
        "ciwae": lambda p: -0.5 * log_weights(p).mean(0) + 0.5 * iwae(p),
    }[kind]
    args = {"groups": 2} if kind == "miwae" else {}
    found = gradients(model, TERMS[kind](SIZES, **args)(model.forward_pass(x, noise)))
    for name, gradient in gradients(model, twin(model.forward_pass(x, noise))).items():
        torch.testing.assert_close(found[name], gradient)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_piwae_each_parameter_follows_its_own_bound(toy, groups):
    model, x, noise = toy
    term = PartiallyImportanceWeighted(SIZES, groups=groups)
    found = gradients(model, term(model.forward_pass(x, noise)))
    theirs = gradients(model, iwae(model.forward_pass(x, noise)))
    grouped = gradients(model, miwae(model.forward_pass(x, noise), groups))
    for name in found:
        other = grouped if name.startswith("encoder") else theirs
        torch.testing.assert_close(found[name], other[name])
    apart = (grouped["encoder.weight"] - theirs["encoder.weight"]).abs().max()
    assert (apart > 1e-3) == (groups > 1)  # else the test could not fail


def test_piwae_adds_up_with_other_terms_of_the_same_codes(toy):
    model, x, noise = toy
    p = model.forward_pass(x, noise)
    both = gradients(model, PartiallyImportanceWeighted(SIZES, groups=2)(p) + p.code.z.sum((0, 2)))
    p = model.forward_pass(x, noise)
    names = [n for n in both if n.startswith("encoder")]
    alone = gradients(model, PartiallyImportanceWeighted(SIZES, groups=2)(p))
    z = model.forward_pass(x, noise).code.z.sum((0, 2)).mean()
    extra = torch.autograd.grad(z, list(model.encoder.parameters()))
    for name, more in zip(names, extra, strict=True):
        torch.testing.assert_close(both[name], alone[name] + more)


@pytest.mark.long
def test_doubly_reparametrised_has_the_same_mean_gradient_and_less_noise():
    torch.manual_seed(0)
    # The mean over a batch of one example many times is a Monte Carlo mean.
    model, draws = Toy(normed=False), 40_000
    x = torch.randn(1, 5).double().expand(draws, 5)
    noise = torch.randn(8, draws, 3).double()
    plain = gradients(model, ImportanceWeighted(SIZES)(model.forward_pass(x, noise)))
    double = gradients(model, DoublyReparametrised(SIZES)(model.forward_pass(x, noise)))
    for name in plain:
        if name.startswith("encoder"):
            torch.testing.assert_close(double[name], plain[name], atol=0.02, rtol=0.02)
            assert not torch.allclose(double[name], plain[name], atol=1e-6)
        else:
            torch.testing.assert_close(double[name], plain[name])


def test_doubly_reparametrised_gradient_fades_at_the_true_posterior():
    """Where q(z|x) is p(z|x) all weights are equal: no noise is left, unlike in the plain one."""
    mean = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    x = torch.zeros(1, 2, dtype=torch.float64)
    half = torch.full((2,), 0.5, dtype=torch.float64).sqrt()
    torch.manual_seed(0)

    def forward_pass():
        z = mean + half * torch.randn(5, 1, 2, dtype=torch.float64)
        q, px = Independent(Normal(mean, half), 1), Independent(Normal(z, half / half), 1)
        pz = Independent(Normal(torch.zeros_like(half), half / half), 1)
        return ForwardPass(x, x, None, Code(z, q), px, pz, None)

    sizes = Sizes((2,), (2,))
    (double,) = torch.autograd.grad(DoublyReparametrised(sizes)(forward_pass()).sum(), mean)
    (plain,) = torch.autograd.grad(ImportanceWeighted(sizes)(forward_pass()).sum(), mean)
    assert double.abs().max() < 1e-12
    assert plain.abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["iwae", "iwae-dreg", "miwae", "piwae", "ciwae"])
def test_without_samples_all_are_the_bound_of_one_code(toy, kind):
    model, x, _ = toy
    term = TERMS[kind](SIZES)
    found, single = term(model.forward_pass(x)), log_weights(model.forward_pass(x))
    torch.testing.assert_close(found, -single)
    assert found.requires_grad
    expected = gradients(model, -single)
    if kind == "iwae-dreg":
        return  # its gradient is that of the expectation, not of the value
    for name, gradient in gradients(model, found).items():
        torch.testing.assert_close(gradient, expected[name])


@pytest.mark.parametrize("kind", ["piwae", "iwae-dreg"])
def test_a_frozen_encoder_leaves_the_decoders_gradient(toy, kind):
    model, x, noise = toy
    model.encoder.requires_grad_(False)
    args = {"groups": 2} if kind == "piwae" else {}
    learned = list(model.decoder.parameters())
    found = torch.autograd.grad(
        TERMS[kind](SIZES, **args)(model.forward_pass(x, noise)).sum(), learned
    )
    expected = torch.autograd.grad(iwae(model.forward_pass(x, noise)).sum(), learned)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ["miwae", "piwae"])
def test_samples_that_groups_do_not_divide(toy, kind):
    model, x, noise = toy
    with pytest.raises(RecipeError, match=r"6 samples .* 4 groups .*samples=8"):
        TERMS[kind](SIZES, groups=4)(model.forward_pass(x, noise))


def test_bounds_tighten_in_their_order(toy):
    """ELBO ≤ CIWAE, MIWAE ≤ IWAE, for any draws, by Jensen's inequality."""
    model, x, noise = toy
    p = model.forward_pass(x, noise)
    elbo = -log_weights(p).mean(0)
    best = ImportanceWeighted(SIZES)(p)
    for between in (
        MultiplyImportanceWeighted(SIZES, groups=2),
        CombinationImportanceWeighted(SIZES),
    ):
        assert (between(p) < elbo).all()
        assert (between(p) > best).all()


def test_weights_of_hundreds_of_nats_stay_finite():
    z = torch.randn(4, 3, 2, requires_grad=True)
    q = Independent(Normal(torch.zeros(3, 2), torch.ones(3, 2)), 1)
    image = 1e3 * z.sum(-1, keepdim=True).expand(4, 3, 5)
    p = ForwardPass(
        torch.zeros(3, 5), torch.zeros(3, 5), None, Code(z, q),
        Independent(Normal(image, 1.0), 1), Independent(Normal(torch.zeros(2), 1.0), 1), None,
    )  # fmt: skip
    for kind in ("iwae", "iwae-dreg", "miwae", "piwae", "ciwae"):
        found = TERMS[kind](Sizes((5,), (2,)))(p)
        (gradient,) = torch.autograd.grad(found.sum(), z, retain_graph=True)
        assert found.isfinite().all()
        assert gradient.isfinite().all()
