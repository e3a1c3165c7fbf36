"""Rows against independent twins: a VAE written by hand, torch.distributions, Monte Carlo."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

from autoencode.contract import ForwardPass, Sizes
from autoencode.models.build import build
from autoencode.models.objective import Objective
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.terms.elbo import KL


class TwinVAE(nn.Module):
    """The VAE of the row "vae", written down as one would in a notebook."""

    def __init__(self, hidden=512, latent=2):
        super().__init__()
        self.enc1 = nn.Linear(784, hidden)
        self.enc2 = nn.Linear(hidden, 2 * latent)
        self.dec1 = nn.Linear(latent, hidden)
        self.dec2 = nn.Linear(hidden, 784)

    def forward(self, x):
        mean, log_variance = self.enc2(self.enc1(x.flatten(1)).relu()).chunk(2, -1)
        z = mean + (0.5 * log_variance).exp() * torch.randn(1, *mean.shape, dtype=mean.dtype)[0]
        logits = self.dec2(self.dec1(z).relu())
        cross_entropy = nn.functional.binary_cross_entropy_with_logits(
            logits, x.flatten(1), reduction="none"
        ).sum(-1)
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)
        return (cross_entropy + kl).mean()


@pytest.mark.parametrize("latent", [2, 20])
def test_vae_equals_its_twin_in_loss_and_gradients(latent):
    recipe = RECIPES["vae"].but(latent=latent)
    model = build(recipe, Sizes((28, 28), (latent,)), seed=1).double()
    twin = TwinVAE(latent=latent).double()
    pairs = list(zip(twin.parameters(), model.parameters(), strict=True))
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.copy_(ours)
    x = torch.rand(50, 28, 28, dtype=torch.float64)

    torch.manual_seed(7)
    loss = Objective(model, recipe, model.sizes)(x).loss
    loss.backward()
    torch.manual_seed(7)
    expected = twin(x)
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for theirs, ours in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-9)


def test_course_autoencoder_minimises_squared_error():
    """Row "ae" is the course's net: its nats are the squared error and a known constant."""
    recipe = RECIPES["ae"]
    model = build(recipe, Sizes((28, 28), (2,)), seed=0)
    hidden = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in hidden] == [
        (784, 512),
        (512, 2),
        (2, 512),
        (512, 784),
    ]
    x = torch.rand(20, 28, 28)
    output = Objective(model, recipe, model.sizes)(x)
    error = (model(x).images - x).square().sum((1, 2)).mean()
    constant = 784 / 2 * math.log(math.pi)
    assert output.loss.item() == pytest.approx(error.item() + constant, rel=1e-5)
    assert ((model(x).images > 0) & (model(x).images < 1)).all()


def test_rate_is_the_textbook_kl_and_monte_carlos(make):
    model = make("vae", latent=3, **{"network.hidden": (16,)}).double()
    x = torch.rand(4, 28, 28, dtype=torch.float64)
    objective = Objective(model, model.recipe, model.sizes)
    torch.manual_seed(0)
    rate = objective(x).terms["kl"].item()

    q, p = model.encode(x).q, model.prior()
    mean, scale = q.base_dist.loc, q.base_dist.scale
    textbook = 0.5 * (scale**2 + mean**2 - 1 - 2 * scale.log()).sum(-1).mean().item()
    twin = kl_divergence(
        Independent(Normal(mean, scale), 1),
        Independent(Normal(torch.zeros_like(mean), torch.ones_like(scale)), 1),
    )
    assert rate == pytest.approx(textbook, rel=1e-9)
    assert rate == pytest.approx(twin.mean().item(), rel=1e-9)

    z = q.sample((200_000,))
    sampled = q.log_prob(z) - p.log_prob(z)
    error = 4 * sampled.mean(1).std().item() / math.sqrt(len(z))
    assert sampled.mean().item() == pytest.approx(rate, abs=error)


def test_rate_without_a_closed_form_is_estimated_without_bias(make):
    """A posterior and prior that torch has no KL for: one draw each, whose mean is the KL."""
    model = make("vae", **{"network.hidden": (8,)})
    x = torch.rand(2, 28, 28)
    with torch.no_grad():
        code = model.encode(x, samples=50_000)
        exact = kl_divergence(code.q, model.prior())
        # Two equal halves: the same N(0, I), in a form without a registered KL.
        half = Independent(Normal(torch.zeros(2, 2), torch.ones(2, 2)), 1)
        prior = MixtureSameFamily(Categorical(torch.ones(2)), half)
        drawn = ForwardPass(x, x, None, code, model.decode(code.z[:1]), prior, model)
        estimate = KL(model.sizes)(drawn)
    assert estimate.shape == (50_000, 2)
    torch.testing.assert_close(estimate.mean(0), exact, atol=0.03, rtol=0)


def test_log_variance_cannot_explode(make):
    model = make("vae")
    head = model.encoder.network.head
    for value in (1e4, -1e4):
        with torch.no_grad():
            head.bias.fill_(value)
        x = torch.rand(3, 28, 28)
        output = Objective(model, model.recipe, model.sizes)(x)
        assert math.isfinite(output.terms["kl"].item())
