"""ln p(x) of single examples, by importance sampling."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.arguments import check_value
from autoencode.contract import Autoencoder, Within
from autoencode.data import scaled
from autoencode.errors import DataError
from autoencode.io.progress import Bar
from autoencode.models.inference import measuring, seeded, split

BATCH_SIZE = 100
SAMPLES = 5_000
# Numbers in the images decoded at once: few enough for a processor's cache to hold them from one
# operation to the next, and many enough to keep an accelerator busy.
MOST_NUMBERS = 2**20


class Bounds(NamedTuple):
    """Two lower bounds of ln p(x), nats, each [N].

    elbo: ln p(x) − KL(q(z|x) ‖ p(z|x)) at most, and as much on average over draws.
    log_likelihood: the importance-weighted one, see `log_likelihood`; never below `elbo`.
    """

    elbo: Tensor
    log_likelihood: Tensor


def log_likelihood(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> Tensor:
    """ln p(x|c) of examples [N, *X] (uint8, or float in [0, 1]), nats: [N], on the device of `x`.

    ln 1/S Σₛ p(x|zₛ) p(zₛ|c) / q(zₛ|x) with S = `samples` codes drawn from q(z|x): on average a
    lower bound, which rises to ln p(x) with S; the mean over examples is the usual test likelihood.
    Figures for images compare only between one binarisation and one S. Source: [burda2016].

    Deterministic: the same arguments give the same figures, and torch's random state is left as it
    was. Without gradients; sums are taken in float64, the result is float32.

    c: what is known of each example, for a conditional model: labels [N] or features [N, C].
    batch_size: examples encoded at once; fewer where examples are large.

    Raises:
        DataError: the model has no posterior or no prior; no examples, or examples of another shape
            than the model's, or integers other than uint8.
        RecipeError: `samples` or `batch_size` is no positive whole number.
    """
    return likelihood_bounds(model, x, context, samples, batch_size, seed).log_likelihood


def likelihood_bounds(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> Bounds:
    """ELBO and importance-weighted bound from the same draws; all as in `log_likelihood`."""
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        check_value(value, Annotated[int, Within(1, 10**9)], name)
    if len(x) == 0:
        raise DataError("There are no examples to take ln p(x) of", "Give at least one.")
    found: list[Bounds] = []
    start = 0
    with (
        measuring(model) as device,
        seeded(seed, device),
        Bar("likelihood", len(x) * samples) as bar,
    ):
        at_once = max(1, MOST_NUMBERS // model.sizes.pixels)
        # Many draws of few images and not the other way round: encoding is then done seldom.
        draws = math.ceil(samples / math.ceil(samples / at_once))
        for batch in split(x, min(batch_size, max(1, at_once // draws))):
            exact = batch.float() if batch.is_floating_point() else batch
            images = scaled(exact.to(device))
            known = None if context is None else context[start : start + len(batch)].to(device)
            start += len(batch)
            prior = model.prior(known)
            total = torch.full((len(batch),), -math.inf, dtype=torch.float64)
            plain = torch.zeros(len(batch), dtype=torch.float64)
            for done in range(0, samples, draws):
                now = min(draws, samples - done)
                # On the CPU, because not every accelerator has float64.
                weights = _log_weights(model, prior, images, known, now).cpu().double()
                total = torch.logaddexp(total, weights.logsumexp(0))
                plain += weights.sum(0)
                bar.update(len(batch) * now)
            found.append(Bounds(plain / samples, total - math.log(samples)))
    return Bounds(*(torch.cat(each).float().to(x.device) for each in zip(*found, strict=True)))


def has_likelihood(model: Autoencoder, x: Tensor, context: Tensor | None = None) -> bool:
    """Whether a model has a posterior and a prior, so that ln p(x) can be had; x: [N, *X]."""
    with measuring(model) as device, seeded(0, device):
        known = None if context is None else context[:1].to(device)
        first = scaled(x[:1]).float().to(device)
        return model.prior(known) is not None and model.encode(first, known).q is not None


def _log_weights(
    model: Autoencoder, prior: Distribution | None, x: Tensor, context: Tensor | None, draws: int
) -> Tensor:
    """ln p(x|z) + ln p(z|c) − ln q(z|x) at draws from the posterior, [draws, B].

    Raises:
        DataError: see `log_likelihood`.
    """
    code = model.encode(x, context, samples=draws)
    if code.q is None or prior is None:
        lacks = "posterior q(z|x)" if code.q is None else "prior p(z)"
        raise DataError(
            f"ln p(x) cannot be had of a model without a {lacks}",
            "Measure the squared error of this one, or train a variational model, such as vae.",
        )
    px = model.decode(code.z, context)
    joint = px.log_prob(x.reshape(-1, *model.sizes.x)) + prior.log_prob(code.z)
    return joint - code.q.log_prob(code.z)
