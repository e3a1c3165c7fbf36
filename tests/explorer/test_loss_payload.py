"""The likelihood and the prior of a page, which give the terms of the loss."""

import pytest
import torch

from autoencode.explorer.container import Container
from autoencode.explorer.loss_payload import loss_payload


def entry(model, context=None):
    codes = torch.randn(3, model.sizes.latent, generator=torch.Generator().manual_seed(0))
    return loss_payload(model, codes, context, Container())


@pytest.mark.parametrize(
    ("recipe", "likelihood"),
    [
        ("ae", {"kind": "Gaussian", "scale": 0.5**0.5}),
        ("vae", {"kind": "Bernoulli", "scale": None}),
    ],
)
def test_names_the_likelihood_and_its_scale(make, recipe, likelihood):
    found = entry(make(recipe))["likelihood"]
    assert found["kind"] == likelihood["kind"]
    assert found["scale"] == pytest.approx(likelihood["scale"])


@pytest.mark.parametrize(
    ("kind", "scale"), [("laplace", 0.3), ("gaussian", 0.2), ("gaussian-learned", 0.7)]
)
def test_other_likelihoods_have_their_own_scale(make, kind, scale):
    changes = {"likelihood": kind, "likelihood.scale": scale}
    found = entry(make("vae", **changes))["likelihood"]
    assert found["kind"].lower() == kind.split("-")[0]
    assert found["scale"] == pytest.approx(scale)


def test_a_likelihood_that_the_page_does_not_know_is_left_out(make):
    model = make("ms-ssim-vae", x=(32, 32))
    assert entry(model)["likelihood"] is None


@pytest.mark.parametrize(
    ("recipe", "normal"),
    [
        ("vae", True),
        ("ae", False),
        ("vamp-vae", False),
        ("flow-vae", False),
        ("uniform-vae", False),
    ],
)
def test_only_a_normal_prior_is_on_the_page(make, recipe, normal):
    assert (entry(make(recipe))["prior"] is not None) is normal


def test_the_standard_normal_has_one_value_for_each_dimension(make):
    assert entry(make("vae", latent=3))["prior"]["mean"]["shape"] == [3]
