"""Opposite measurements give opposite sentences."""

from dataclasses import replace

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from autoencode.contract import Code, Space
from autoencode.evaluation.thresholds import (
    MAX_FEW_EMPTY,
    MAX_FEW_IMPLAUSIBLE,
    MAX_NEAR_PRIOR_MMD,
    MAX_UNIFORM_KS,
    MIN_FAR_PRIOR_MMD,
    MIN_MANY_IMPLAUSIBLE,
)
from autoencode.maths import BoxUniform
from autoencode.report import claims, measurements
from autoencode.report.figures.latent_space import LatentSpace
from autoencode.report.measurements import PriorMatch, Sparsity
from autoencode.report.view import View

MATCH = PriorMatch(
    mmd=0.001,
    shape="normal",
    means=(-0.1, 0.1),
    deviations=(0.9, 1.1),
    prior_means=(0.0, 0.0),
    prior_deviations=(1.0, 1.0),
    outside=0.012,
    ks=0.02,
    near_walls=0.051,
    resultant=0.01,
)
NORMAL = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)


@pytest.mark.parametrize(
    ("mmd", "verdict"),
    [
        (MAX_NEAR_PRIOR_MMD, "follow the prior closely"),
        (MAX_NEAR_PRIOR_MMD * 1.01, "deviate from the prior"),
        (MIN_FAR_PRIOR_MMD, "are far from the prior"),
    ],
)
def test_the_verdict_on_codes_and_a_normal_prior_follows_the_discrepancy(mmd, verdict):
    said = claims.codes_and_prior(replace(MATCH, mmd=mmd))
    assert f"posteriors {verdict}: " in said
    learned = claims.codes_and_prior(replace(MATCH, mmd=mmd, shape="learned"))
    assert verdict.replace("the prior", "the learned prior") in learned
    assert "1.2% of the codes are outside" in said
    assert "−0.10 to 0.10 (prior: 0.00)" in said


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        ("box", {"ks": MAX_UNIFORM_KS * 1.01}),
        ("box", {"mmd": MAX_NEAR_PRIOR_MMD * 1.01}),
        ("sphere", {"resultant": 0.2}),
        ("sphere", {"mmd": 0.5}),
    ],
)
def test_the_verdict_on_a_uniform_prior_needs_every_measurement(shape, change):
    even = replace(MATCH, shape=shape)
    assert "are spread evenly over the " in claims.codes_and_prior(even)
    assert "are not spread evenly over the " in claims.codes_and_prior(replace(even, **change))


def test_generated_images_and_empty_regions():
    rare, often = (claims.off_manifold("Samples", s) for s in (0.01, MIN_MANY_IMPLAUSIBLE))
    assert "Samples are rarely implausible: 1.0%" in rare
    assert "often implausible, off the data manifold: 25.0%" in often
    assert "sometimes" in claims.off_manifold("Samples", MAX_FEW_IMPLAUSIBLE * 1.01)
    assert claims.off_manifold("Samples", None) == ""
    few, some, most = (claims.empty_regions("the prior", s) for s in (0.02, 0.3, 0.9))
    assert "Few of them are in empty regions: 2.0%" in few
    assert "Some" in claims.empty_regions("the prior", MAX_FEW_EMPTY * 1.01)
    assert "Some of them" in some
    assert "Most of them are in empty regions: 90.0%" in most
    assert claims.empty_regions("the prior", None) == "The codes are sampled from the prior."


def test_errors():
    assert "reduces the mean squared error: 7.00" in claims.denoising(7.0, 2.0)
    assert "does not reduce" in claims.denoising(2.0, 7.0)
    assert "explain 75% of the variance" in claims.reconstruction(3.0, 0.75)
    assert "no better than the mean image" in claims.reconstruction(3.0, -0.1)
    assert "variance" not in claims.reconstruction(3.0, None)
    assert "did not rise" in claims.validation(100, 3.0, 100, 3.0)
    assert "above its minimum of 2.00 at step 50" in claims.validation(100, 3.0, 50, 2.0)
    assert " falls from 3.00 to 2.00" in claims.progress(1, 3.0, 9, 2.0)
    assert "does not fall: it goes from 2.00 to 3.00" in claims.progress(1, 2.0, 9, 3.0)
    assert "25.0 nonzero values on average, of 1,000" in claims.sparse_codes(
        Sparsity(25.0, 700, 1000)
    )


@pytest.fixture
def view_of(glass):
    """view_of(codes [N, 2], prior) -> a view of the Glass model whose examples have these codes."""

    def made(codes, prior=None, space=Space.REAL):
        model = glass(prior)
        model.space = space
        # Codes outside [0, 1] are no pixel values.
        model.encode = lambda x, context=None, samples=None: Code(codes[: len(x)].unsqueeze(0))
        y = torch.zeros(len(codes)).long()
        view = View.of(model, glass.images(torch.rand(len(codes), 2)), y, ["one"])
        return replace(view, codes=codes)

    return made


def test_codes_of_a_weak_kl_are_far_from_the_prior(view_of):
    """As of a VAE whose KL has the weight 0.0001: codes from −6 to 17."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.rand(400, 2, generator=generator) * 23 - 6
    said = LatentSpace(view_of(spread, NORMAL)).findings()
    assert "are far from the prior" in said
    assert "closely" not in said
    normal = torch.randn(400, 2, generator=generator)
    assert "follow the prior closely" in LatentSpace(view_of(normal, NORMAL)).findings()


def test_codes_at_the_walls_are_not_spread_evenly(view_of):
    """As of `uniform-vae`: codes that pile up at the walls of the box."""
    generator = torch.Generator().manual_seed(0)
    prior = BoxUniform((2,), like=torch.zeros(()))
    even = 2 * torch.rand(400, 2, generator=generator) - 1
    piled = even.sign() * even.abs() ** 0.05
    said = LatentSpace(view_of(piled, prior, Space.BOX)).findings()
    assert "are not spread evenly over the box" in said
    near = (piled.abs() > 0.95).float().mean()
    assert f"{near:.1%} of the coordinates are within 0.05 of a wall (5.0%" in said
    assert "are spread evenly over the box" in (
        LatentSpace(view_of(even, prior, Space.BOX)).findings()
    )


def test_a_learned_prior_is_compared_as_well(view_of):
    means = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    mixture = MixtureSameFamily(
        Categorical(torch.ones(3)), Independent(Normal(means, torch.ones(3, 2)), 1)
    )
    torch.manual_seed(0)
    follows = LatentSpace(view_of(mixture.sample((400,)), mixture)).findings()
    assert "follow the learned prior closely" in follows
    apart = LatentSpace(view_of(torch.randn(400, 2) * 0.1, mixture)).findings()
    assert "the learned prior closely" not in apart


def test_without_a_prior_the_extent_of_the_codes_is_stated(view_of):
    codes = torch.linspace(-6, 17, 100).unsqueeze(1).expand(-1, 2)
    assert "Code values range from −6.00 to 17.0" in LatentSpace(view_of(codes)).findings()


def test_few_examples_support_no_verdict(view_of):
    view = view_of(torch.randn(10, 2), NORMAL)
    assert measurements.prior_match(view) is None
    assert measurements.empty_region_share(view) is None
    assert measurements.implausible_share(view, view.x.float()) is None


def test_label_agreement_is_counted_over_pairs():
    points = torch.tensor([[0.0], [0.1], [5.0], [5.2], [9.0]])
    share, chance = measurements.label_agreement(points, torch.tensor([0, 0, 1, 0, 1]))
    # Nearest others: 1, 0, 3, 2, 3.
    assert share == pytest.approx(2 / 5)
    assert chance == pytest.approx((3 * 2 + 2 * 1) / (5 * 4))


def test_implausible_images_are_far_from_every_example(view_of):
    view = view_of(torch.rand(200, 2))
    examples = view.examples(200)
    assert measurements.implausible_share(view, examples[:50]) == 0
    assert measurements.implausible_share(view, examples[:50] + 5) == 1


def test_sparsity_counts_zeros(view_of):
    codes = torch.zeros(50, 8)
    codes[:, 0] = 1.0
    codes[::2, 1] = 2.0
    view = replace(view_of(torch.rand(50, 2)), codes=codes)
    assert measurements.sparsity(view) == Sparsity(active=1.5, unused=6, latent=8)
    assert measurements.sparsity(view_of(torch.rand(50, 2))) is None
