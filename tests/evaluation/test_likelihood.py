"""ln p(x) by importance sampling, against linear-Gaussian models, whose ln p(x) is known."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from autoencode.contract import Sizes
from autoencode.errors import DataError, RecipeError
from autoencode.evaluation import likelihood
from autoencode.evaluation.likelihood import likelihood_bounds, log_likelihood, rounding_error
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.build import build
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES

SCALE = 0.3


def linear_gaussian(exact: bool) -> tuple[SlotAutoencoder, MultivariateNormal]:
    """Probabilistic PCA, p(x|z) = N(Wz + b, σ² I), and its p(x).

    exact: q(z|x) has the variances of p(z|x), which has independent numbers here, and its mean.
    """
    recipe = RECIPES["vae"].but(
        network=Spec("mlp", {"hidden": ()}),
        likelihood=Spec("gaussian", {"mean": "identity", "scale": SCALE}),
    )
    model = build(recipe, Sizes((5,), (2,)), seed=0)
    generator = torch.Generator().manual_seed(1)
    columns = torch.linalg.qr(torch.randn(5, 2, generator=generator)).Q
    w, b = columns * torch.tensor([0.8, 0.4]), 0.5 * torch.ones(5)
    precision = 1 + w.square().sum(0) / SCALE**2
    head, out = model.encoder.network.head, model.decoder.network.out
    with torch.no_grad():
        out.weight.copy_(w)
        out.bias.copy_(b)
        head.weight[:2] = w.T / SCALE**2 / precision[:, None]
        head.bias[:2] = -(head.weight[:2] @ b)
        head.weight[2:] = 0
        head.bias[2:] = -precision.log()
        if not exact:
            head.bias[:2] += 0.1
            head.bias[2:] += 0.8
    covariance = w @ w.T + SCALE**2 * torch.eye(5)
    return model, MultivariateNormal(b, covariance)


def test_one_sample_of_the_true_posterior_is_exact():
    model, px = linear_gaussian(exact=True)
    torch.manual_seed(2)
    x = px.sample((40,))
    for samples in (1, 3):
        found = log_likelihood(model, x, samples=samples)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, px.log_prob(x), atol=1e-4, rtol=1e-5)


def test_more_samples_tighten_the_bound_to_the_truth():
    model, px = linear_gaussian(exact=False)
    torch.manual_seed(2)
    x = px.sample((300,))
    truth = px.log_prob(x).mean()
    gaps = [(truth - log_likelihood(model, x, samples=s).mean()).item() for s in (1, 5, 50)]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 0
    torch.testing.assert_close(
        log_likelihood(model, x[:50], samples=20_000), px.log_prob(x[:50]), atol=0.05, rtol=0
    )


def test_gap_of_one_sample_is_the_kl_of_the_posteriors():
    model, px = linear_gaussian(exact=False)
    right, _ = linear_gaussian(exact=True)
    torch.manual_seed(2)
    x = px.sample((4_000,))
    gap = (px.log_prob(x) - log_likelihood(model, x, samples=1)).mean().item()
    with torch.no_grad():
        kl = torch.distributions.kl_divergence(model.encode(x).q, right.encode(x).q).mean().item()
    assert gap == pytest.approx(kl, abs=0.05)


def test_the_elbo_is_below_by_the_kl_of_the_posteriors():
    model, px = linear_gaussian(exact=False)
    right, _ = linear_gaussian(exact=True)
    torch.manual_seed(3)
    x = px.sample((50,))
    found = likelihood_bounds(model, x, samples=4_000)
    with torch.no_grad():
        kl = torch.distributions.kl_divergence(model.encode(x).q, right.encode(x).q)
    torch.testing.assert_close(px.log_prob(x) - found.elbo, kl, atol=0.06, rtol=0)
    assert torch.equal(found.log_likelihood, log_likelihood(model, x, samples=4_000))
    assert (found.elbo < found.log_likelihood).all()


def test_memory_is_bounded_and_chunks_are_one_estimate(monkeypatch):
    model, px = linear_gaussian(exact=False)
    torch.manual_seed(2)
    x = px.sample((7,))
    seen = []
    decode = SlotAutoencoder.decode

    def counted(self, z, context=None):
        seen.append(z.shape)
        return decode(self, z, context)

    monkeypatch.setattr(SlotAutoencoder, "decode", counted)
    monkeypatch.setattr(likelihood, "MAX_NUMBERS", 5 * 64)
    found = log_likelihood(model, x, samples=3_001)
    # Many draws of one image, as alike in number as can be.
    assert {tuple(shape[:2]) for shape in seen} == {(64, 1), (57, 1)}
    assert sum(math.prod(shape[:2]) for shape in seen) == 7 * 3_001
    torch.testing.assert_close(found, px.log_prob(x), atol=0.05, rtol=0)
    for batch_size, images in (100, {3, 1}), (2, {2, 1}):
        seen.clear()
        log_likelihood(model, x, samples=20, batch_size=batch_size)
        assert {shape[1] for shape in seen} == images
        assert sum(math.prod(shape[:2]) for shape in seen) == 7 * 20


def test_deterministic_and_leaves_everything_as_it_was():
    model, px = linear_gaussian(exact=False)
    model.train()
    torch.manual_seed(2)
    x = px.sample((20,))
    state = torch.get_rng_state()
    first = log_likelihood(model, x, samples=10)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    torch.manual_seed(5)
    assert torch.equal(first, log_likelihood(model, x, samples=10))
    assert not torch.equal(first, log_likelihood(model, x, samples=10, seed=1))
    assert not first.requires_grad


def test_bf16_changes_the_rounding_and_not_the_draws():
    torch.manual_seed(3)
    x = torch.rand(30, 8, 8).bernoulli()
    for name in ("vae", "conv-vae", "cvae"):
        sizes = Sizes((8, 8), (2,), context=10 if RECIPES[name].context else 0)
        model = build(RECIPES[name], sizes, seed=0)
        context = torch.arange(30) % 10 if sizes.context else None
        exact = log_likelihood(model, x, context, samples=50)
        rounded = log_likelihood(model, x, context, samples=50, precision="bf16")
        others = log_likelihood(model, x, context, samples=50, seed=1)
        change = (rounded - exact).abs()
        assert rounded.dtype == torch.float32
        assert 0 < change.mean() < 0.1 * (others - exact).abs().mean()
        assert rounding_error(model, x, context, samples=50) == pytest.approx(change.mean().item())
    with pytest.raises(RecipeError, match=r"precision.*float32.*bf16"):
        log_likelihood(model, x, context, precision="float16")


def test_bytes_images_and_channels(make_model):
    model = make_model("vae", (1, 8, 8))
    x = torch.randint(0, 256, (5, 8, 8), dtype=torch.uint8)
    found = log_likelihood(model, x, samples=20)
    assert found.shape == (5,)
    torch.testing.assert_close(found, log_likelihood(model, x.float()[:, None] / 255, samples=20))
    with pytest.raises(DataError, match="no examples"):
        log_likelihood(model, x[:0])


@pytest.mark.parametrize(
    ("recipe", "lacks"),
    [
        (RECIPES["ae"], "posterior"),
        (RECIPES["vae"].set("prior", None).set("terms.kl", None), "prior"),
    ],
)
def test_a_model_without_a_likelihood(make_model, recipe, lacks):
    with pytest.raises(DataError, match=rf"without a {lacks}.* squared error"):
        log_likelihood(make_model(recipe, (8, 8)), torch.rand(3, 8, 8), samples=2)


def test_numbers_out_of_range_and_other_shapes(make_model):
    model = make_model("vae", (8, 8))
    with pytest.raises(RecipeError, match="samples"):
        log_likelihood(model, torch.rand(3, 8, 8), samples=0)
    with pytest.raises(RecipeError, match="batch_size"):
        log_likelihood(model, torch.rand(3, 8, 8), batch_size=0)
    with pytest.raises(DataError, match=r"\(8, 8\)"):
        log_likelihood(model, torch.rand(3, 7, 7))
