"""ln p(x) of single examples, by importance sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.arguments import Count, check_value
from autoencode.contract import Autoencoder
from autoencode.data import scaled
from autoencode.errors import DataError
from autoencode.maths import LevelDistribution, autocast, level_log_prob
from autoencode.models.inference import in_batches, measuring, seeded

BATCH_SIZE = 100
SAMPLES = 5_000
# Numbers in the images decoded at once: few enough for the cache of a CPU, and enough to keep an
# accelerator busy.
MAX_NUMBERS = 2**20
# Images are encoded for so many decodings at once: small operations cost the same for many.
AHEAD = 8
# Of the decoder's matrix products.
Precision = Literal["float32", "bf16"]


class Bounds(NamedTuple):
    """Lower bounds of ln p(x), nats, each [N].

    elbo: on average over draws ln p(x) − KL(q(z|x) ‖ p(z|x)).
    log_likelihood: the importance-weighted bound, see `log_likelihood`; never below `elbo`.
    log_levels: the same bound of the probability of 8-bit levels, see `maths.level_log_prob`; None
        if it was not asked for, or the likelihood gives none.
    """

    elbo: Tensor
    log_likelihood: Tensor
    log_levels: Tensor | None = None


def log_likelihood(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    precision: Precision = "float32",
) -> Tensor:
    """ln p(x|c) of examples [N, *X] (uint8, or float in [0, 1]), nats: [N], on the device of `x`.

    ln 1/S Σₛ p(x|zₛ) p(zₛ|c) / q(zₛ|x) with S = `samples` codes drawn from q(z|x): on average a
    lower bound, which rises to ln p(x) with S; the mean over examples is the usual test likelihood.
    Values of images compare only at equal binarisation and equal S.  Source: [burda2016].

    Deterministic: the same arguments give the same values, and torch's random state is left as it
    was. Without gradients; sums are in float64, the result is float32.

    context: for a conditional model, labels [N] or features [N, C] of the examples.
    batch_size: examples encoded at once; fewer if examples are large.
    precision: of the matrix products of the decoder; the layer next to the code, the likelihood and
        the sums stay as they are. "bf16" takes half the time on processors that have it, and
        changes the values by rounding: see `rounding_error`.

    Raises:
        DataError: the model has no posterior or no prior; no examples, or examples of another shape
            than the model's, or integers other than uint8.
        RecipeError: `samples` or `batch_size` is not a positive whole number, or there is no such
            precision.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("vae", data, latent=2, steps=10).model
    >>> ae.evaluation.log_likelihood(model, data.test.x[:5], samples=100).shape
    torch.Size([5])
    """
    bounds = likelihood_bounds(model, x, context, samples, batch_size, seed, precision=precision)
    return bounds.log_likelihood


def rounding_error(
    model: Autoencoder, x: Tensor, context: Tensor | None = None, samples: int = SAMPLES
) -> float:
    """The mean |difference| of ln p(x) in bf16 and in float32, of the same draws, in nats.

    x, context, samples: as of `log_likelihood`.
    """
    exact = log_likelihood(model, x, context, samples)
    rounded = log_likelihood(model, x, context, samples, precision="bf16")
    return (rounded - exact).abs().mean().item()


def likelihood_bounds(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    levels: bool = False,
    precision: Precision = "float32",
) -> Bounds:
    """ELBO and importance-weighted bound from the same draws; all as in `log_likelihood`.

    levels: whether to compute `Bounds.log_levels`; x has the levels 0, 1/255, …, 1.
    """
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        check_value(value, Count, name)
    check_value(precision, Precision, "precision")
    if len(x) == 0:
        raise DataError(
            "There are no examples whose ln p(x) could be estimated", "Give at least one."
        )
    at_once = max(1, MAX_NUMBERS // model.sizes.pixels)
    # Many draws of few images at a time, so that each image is encoded rarely.
    draws = math.ceil(samples / math.ceil(samples / at_once))

    def bounds(images: Tensor, features: Tensor | None) -> Bounds:
        prior = model.prior(features)
        nothing = torch.full((len(images),), -math.inf, dtype=torch.float64)
        total, of_levels = nothing, nothing if levels else None
        plain = torch.zeros(len(images), dtype=torch.float64)
        for done in range(0, samples, draws):
            now = min(draws, samples - done)
            weights, others = _log_weights(
                model, prior, images, features, now, levels, precision, decoded
            )
            total = torch.logaddexp(total, weights.logsumexp(0))
            plain += weights.sum(0)
            if of_levels is not None and others is not None:
                of_levels = torch.logaddexp(of_levels, others.logsumexp(0))
            else:
                of_levels = None
        count = math.log(samples)
        return Bounds(
            plain / samples, total - count, None if of_levels is None else of_levels - count
        )

    with measuring(model) as device, seeded(seed, device):
        decoded = min(batch_size, max(1, at_once // draws))
        codes = MAX_NUMBERS // (draws * model.sizes.latent)
        rows = min(batch_size, max(decoded, min(AHEAD * decoded, codes)))
        found = in_batches(model, x, bounds, "likelihood", rows, context)

    def joined(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).float().to(x.device)

    of_levels = [each.log_levels for each in found if each.log_levels is not None]
    return Bounds(
        joined([each.elbo for each in found]),
        joined([each.log_likelihood for each in found]),
        joined(of_levels) if of_levels else None,
    )


def has_likelihood(model: Autoencoder, x: Tensor, context: Tensor | None = None) -> bool:
    """Whether a model has a posterior and a prior, which ln p(x) needs; x: [N, *X]."""
    with measuring(model) as device, seeded(0, device):
        known = None if context is None else context[:1].to(device)
        first = scaled(x[:1]).float().to(device)
        return model.prior(known) is not None and model.encode(first, known).q is not None


def _log_weights(
    model: Autoencoder,
    prior: Distribution | None,
    x: Tensor,
    context: Tensor | None,
    draws: int,
    levels: bool,
    precision: Precision,
    at_once: int,
) -> tuple[Tensor, Tensor | None]:
    """ln p(x|z) + ln p(z|c) − ln q(z|x) at draws from the posterior, and that of the levels of x.

    Each is [draws, B], float64 on the CPU, because not every accelerator has it; the second is None
    without `levels`, or if the likelihood gives none. `at_once` examples are decoded at once.

    Raises:
        DataError: see `log_likelihood`.
    """
    code = model.encode(x, context, samples=draws)
    if code.q is None or prior is None:
        lacks = "posterior q(z|x)" if code.q is None else "prior p(z)"
        raise DataError(
            f"ln p(x) cannot be estimated for a model without a {lacks}",
            "Measure its squared error, or train a variational model, such as vae.",
        )
    x = x.reshape(-1, *model.sizes.x)
    nats, of_levels = [], []
    for start in range(0, len(x), at_once):
        part = slice(start, start + at_once)
        known = None if context is None else context[part]
        with autocast(torch.bfloat16 if precision == "bf16" else torch.float32, x.device):
            px = model.decode(code.z[:, part], known)
        nats.append(px.log_prob(x[part]))
        if levels:
            exact = isinstance(px, LevelDistribution)
            found = nats[-1] if exact else level_log_prob(px, x[part])
            of_levels += [] if found is None else [found]
    ratio = prior.log_prob(code.z) - code.q.log_prob(code.z)

    def weights(parts: Sequence[Tensor]) -> Tensor:
        return (torch.cat([*parts], 1) + ratio).cpu().double()

    return weights(nats), weights(of_levels) if of_levels else None
