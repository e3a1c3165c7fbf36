"""Values that captions are chosen by, each measured on the examples and codes of a view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from autoencode.contract import Space
from autoencode.evaluation.metrics.prior import maximum_mean_discrepancy
from autoencode.evaluation.thresholds import (
    BOX_MARGIN,
    EMPTY_REGION_QUANTILE,
    IMPLAUSIBLE_QUANTILE,
    MIN_EXAMPLES_FOR_CLAIMS,
    MIN_SPARSE_ZEROS,
)
from autoencode.models.inference import measuring
from autoencode.report.view import View

# Random codes or images that are measured, and examples that they are compared with.
MAX_QUERIES, MAX_REFERENCES = 1_000, 2_000
# Share of the prior's mass outside its region of highest density.
OUTSIDE = 0.01

Interval = tuple[float, float]


@dataclass(frozen=True)
class PriorMatch:
    """Codes sampled from the posteriors of the examples, compared with samples of the prior.

    mmd: squared maximum mean discrepancy, see `maximum_mean_discrepancy`.
    shape: "normal" for N(0, I), "box" or "sphere" for a uniform prior there, else "learned".
    means, deviations: lowest and highest over the latent dimensions; `prior_…`: of the prior.
    outside: share of codes outside the region of highest density that holds 99% of the prior.
    ks: largest Kolmogorov-Smirnov distance of a coordinate from the uniform distribution.
    near_walls: share of coordinates within 0.05 of a wall of the box.
    resultant: length of the mean code on the unit sphere.
    """

    mmd: float
    shape: Literal["normal", "box", "sphere", "learned"]
    means: Interval
    deviations: Interval
    prior_means: Interval
    prior_deviations: Interval
    outside: float
    ks: float
    near_walls: float
    resultant: float


@dataclass(frozen=True)
class Sparsity:
    """active: mean number of nonzero values in a code.   unused: dimensions that are always 0."""

    active: float
    unused: int
    latent: int


def prior_match(view: View) -> PriorMatch | None:
    """Compare the codes of the examples with the prior; None without a prior, or for few codes."""
    prior, codes = view.prior_samples, view.posterior_samples
    if prior is None or len(codes) < MIN_EXAMPLES_FOR_CLAIMS or view.model.space is Space.CODES:
        return None
    some = codes[:MAX_REFERENCES]
    space, shape = view.model.space, _shape(view)
    uniform = torch.sort((codes.double() + 1) / 2, dim=0).values
    steps = torch.arange(len(codes) + 1).double().unsqueeze(1) / len(codes)
    ks = torch.maximum((steps[1:] - uniform).amax(), (uniform - steps[:-1]).amax())
    return PriorMatch(
        mmd=maximum_mean_discrepancy(some, prior[: len(some)]),
        shape=shape,
        means=_range(codes.mean(0)),
        deviations=_range(codes.std(0)),
        prior_means=(0.0, 0.0) if shape == "normal" else _range(prior.mean(0)),
        prior_deviations=(1.0, 1.0) if shape == "normal" else _range(prior.std(0)),
        outside=_outside(view, prior, codes) if space is Space.REAL else 0.0,
        ks=ks.item(),
        near_walls=(codes.abs() > 1 - BOX_MARGIN).float().mean().item(),
        resultant=codes.mean(0).norm().item(),
    )


def _shape(view: View) -> Literal["normal", "box", "sphere", "learned"]:
    if view.model.space is Space.BOX:
        return "box"
    if view.model.space is Space.SPHERE:
        return "sphere"
    prior = view.model.prior()
    if isinstance(prior, Independent) and isinstance(prior.base_dist, Normal):
        base = prior.base_dist
        if bool((base.loc == 0).all()) and bool((base.scale == 1).all()):
            return "normal"
    return "learned"


def _range(values: Tensor) -> Interval:
    return values.min().item(), values.max().item()


def _outside(view: View, prior: Tensor, codes: Tensor) -> float:
    with measuring(view.model) as device:
        distribution = view.model.prior()
        assert distribution is not None
        of_prior, of_codes = (
            torch.cat(
                [
                    distribution.log_prob(part.reshape(-1, *view.model.sizes.z).to(device)).cpu()
                    for part in torch.split(some, MAX_QUERIES)
                ]
            )
            for some in (prior, codes)
        )
    return (of_codes < of_prior.quantile(OUTSIDE)).float().mean().item()


def empty_region_share(view: View) -> float | None:
    """The share of random codes in empty regions; None for few examples.

    Such a code is farther from every code of the examples than 99% of those codes, sampled from
    their posteriors, are from their nearest neighbour. 1% is expected of random codes that follow
    the distribution of the examples' codes.
    """
    codes = view.posterior_samples
    if len(codes) < MIN_EXAMPLES_FOR_CLAIMS:
        return None
    # The nearest of all is the code itself.
    spacing = torch.cdist(codes[:MAX_QUERIES], codes).kthvalue(2, dim=1).values
    distances = torch.cdist(view.random_codes(MAX_QUERIES), codes).amin(1)
    return (distances > spacing.quantile(EMPTY_REGION_QUANTILE)).float().mean().item()


def implausible_share(view: View, images: Float[Tensor, "m ..."]) -> float | None:
    """The share of generated images [M, *X] that are off the data manifold; None for few examples.

    Such an image is farther, in Euclidean distance of pixels, from every example than 99% of the
    reconstructions are from the nearest example other than their own. Reconstructions are as smooth
    as generated images, so that blur alone changes no share.
    """
    n = min(len(view.x), MAX_REFERENCES)
    if n < MIN_EXAMPLES_FOR_CLAIMS or not len(images):
        return None
    examples = view.examples(n).flatten(1)
    which = torch.arange(min(n, MAX_QUERIES))
    reconstructions = view.decode(view.codes[which], which).flatten(1)
    distances = torch.cdist(reconstructions, examples)
    distances[which, which] = torch.inf
    limit = distances.amin(1).quantile(IMPLAUSIBLE_QUANTILE)
    nearest = torch.cdist(images[:MAX_QUERIES].flatten(1).float(), examples).amin(1)
    return (nearest > limit).float().mean().item()


def label_agreement(points: Float[Tensor, "n d"], y: Tensor) -> tuple[float, float]:
    """The share of points whose nearest other point has the same label, and that share by chance.

    By chance, two different points have the same label with the second probability.
    """
    n = len(y)
    if n < 2:
        return 0.0, 0.0
    which = torch.arange(min(n, MAX_REFERENCES))
    distances = torch.cdist(points[which].float(), points.float())
    distances[which, which] = torch.inf
    agreement = (y[distances.argmin(1)] == y[which]).float().mean().item()
    counts = torch.bincount(y - y.min()).double()
    return agreement, ((counts * (counts - 1)).sum() / (n * (n - 1))).item()


def sparsity(view: View) -> Sparsity | None:
    """Nonzero values of the codes; None where fewer than a fifth of the values are exactly 0."""
    nonzero = view.codes != 0
    if 1 - nonzero.float().mean().item() < MIN_SPARSE_ZEROS:
        return None
    unused = int((~nonzero.any(0)).sum())
    return Sparsity(nonzero.float().sum(1).mean().item(), unused, view.latent)


def explained_variance(view: View) -> float | None:
    """1 − squared error / variance of the examples, both summed over pixels; None without any."""
    x = view.examples(len(view.x)).flatten(1)
    variance = (x - x.mean(0)).square().sum(1).mean().item()
    return 1 - view.errors.mean().item() / variance if variance > 0 else None
