"""The codes of all examples together, against the prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from autoencode.contract import Autoencoder, Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.points import as_points
from autoencode.evaluation.thresholds import MIN_ACTIVE_VARIANCE
from autoencode.io.progress import Bar
from autoencode.maths import Bijection, Pushforward, Tanh
from autoencode.maths.discrepancies import mean_discrepancy
from autoencode.models.arguments import check_value
from autoencode.models.inference import BATCH_SIZE, in_batches, measuring, seeded

# Codes compared with as many draws at once, each with each.
BLOCK = 1_000
# How wide kernels are, in multiples of the median squared distance of draws from the prior.
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SAMPLES = 2_000
# Numbers in all pairs of a draw and a posterior, and in those held at once. Draws are as many as
# the former allows, but never fewer than a hundred.
MOST_NUMBERS, AT_ONCE = 2**29, 2**19
LEAST_DRAWS = 100


@dataclass(frozen=True)
class AggregateDivergence:
    """What the average rate is made of, in nats: KL(q(z) ‖ p(z)) + I(x; z).

    divergence: KL of the prior from the mean posterior of the examples.
    mutual_information: what a code tells of which of the examples it is of; at most ln `examples`.
    divergence_stderr, mutual_information_stderr: of the estimates, over the draws; they say
        nothing of other examples.
    draws, examples: codes that were drawn, and posteriors that q(z) is the mean of.
    """

    divergence: float
    mutual_information: float
    divergence_stderr: float
    mutual_information_stderr: float
    draws: int
    examples: int


def active_units(means: Tensor, threshold: float = MIN_ACTIVE_VARIANCE) -> int:
    """How many numbers of the mean code E[zᵢ|x], [N, *Z], vary over the examples.

    Those with a variance above `threshold`, in squared units of the code, which suits codes on the
    scale of a standard normal.  Source: [burda2016], section 4.2.

    Raises:
        DataError: fewer than two codes.
        RecipeError: `threshold` is no positive number.
        Diverged: codes that are not finite.
    """
    check_value(threshold, Annotated[float, Within(1e-12, 1e12)], "threshold")
    return int((as_points(means, least=2).var(0, ddof=1) > threshold).sum())


def maximum_mean_discrepancy(codes: Tensor, prior_draws: Tensor, seed: int = 0) -> float:
    """MMD² of codes [N, *Z] and draws from the prior [M, *Z]: 0 on average where they are alike.

    Codes of a random model are to be drawn from q(z|x): their means are not meant to follow p(z).
    An unbiased estimate, at most 2 and without a unit; a little below 0 as often as above where
    the codes follow the prior. The kernel is the mean over r of rC / (rC + ‖z − z′‖²), for r from
    0.1 to 10, where C is the median of ‖z − z′‖² among draws from the prior: it does not depend on
    the codes, so that models with one prior and size of code compare. Mean over disjoint blocks of
    at most 1,000 codes and as many draws, shuffled by the seed, as far as the fewer of both reach.
    Source: [gretton2012]; the kernel, [tolstikhin2018].

    Raises:
        DataError: fewer than two of either, two sizes of code, or draws that all coincide.
        Diverged: codes that are not finite.
    """
    if codes.shape[1:] != prior_draws.shape[1:]:
        raise DataError(
            f"Codes of shape {tuple(codes.shape[1:])} and draws of shape "
            f"{tuple(prior_draws.shape[1:])} do not lie in one space"
        )
    clouds = [torch.from_numpy(as_points(cloud, least=2)) for cloud in (codes, prior_draws)]
    n, rng = min(map(len, clouds)), np.random.default_rng(seed)
    a, b = (cloud[torch.from_numpy(rng.permutation(len(cloud))[:n])] for cloud in clouds)
    width = torch.pdist(b[:BLOCK]).median().square()
    if width == 0:
        raise DataError("Most draws from the prior coincide, so there is no scale to compare on")

    def kernel(squares: Tensor) -> Tensor:
        total = torch.zeros_like(squares)
        for r in SCALES:
            total += (squares + r * width).reciprocal_().mul_(r * width)
        return total / len(SCALES)

    blocks = math.ceil(n / BLOCK)
    parts = zip(a.tensor_split(blocks), b.tensor_split(blocks), strict=True)
    return float(np.mean([mean_discrepancy(*part, kernel).item() for part in parts]))


def aggregate_divergence(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> AggregateDivergence | None:
    """KL(q(z) ‖ p(z)) and I(x; z) over examples [N, *X] (uint8, or float in [0, 1]), nats.

    q(z) = 1/N Σₙ q(z|xₙ) is the exact mixture of the posteriors of all N examples, and `samples`
    codes are drawn from it: mean ln q(z) − ln p(z), and mean ln q(z|xₙ) − ln q(z) with the n that
    a code came of. Both are unbiased, and their sum estimates the average rate. A rate far above
    ln N leaves I at ln N and the remainder in the divergence, so that figures compare only at
    equal N. Fewer codes are drawn where N codes are large, never fewer than a hundred.

    Deterministic; weights, training mode and torch's random state are left as they were.
    Source: [hoffman2016].

    None for codes without a posterior; without a prior, or with another one for each context; and
    for posteriors bent by flows of their own, whose density at the codes of others would take the
    inverse of a flow for each pair.

    c: what is known of each example, for a conditional model: labels [N] or features [N, C].

    Raises:
        DataError: no examples, or examples of another shape than the model's.
        RecipeError: `samples` or `batch_size` is no positive whole number.
    """
    check_value(samples, Annotated[int, Within(2, 10**9)], "samples")
    n = len(x)
    if n == 0:
        raise DataError("There are no examples whose codes could follow a prior", "Give some.")
    numbers = n * model.sizes.latent
    draws = min(samples, max(LEAST_DRAWS, MOST_NUMBERS // numbers))
    with measuring(model) as device, seeded(seed, device):
        prior = model.prior(None if context is None else context[:1].to(device))
        if prior is None or prior.batch_shape:
            return None

        def draw(batch: Tensor, known: Tensor | None) -> _Drawn | None:
            return _drawn(model.encode(batch, known).q, math.ceil(draws / n))

        found = in_batches(model, x, draw, "posteriors", batch_size, context)
        parts = [part for part in found if part is not None]
        if not parts:
            return None
        # Each example gives as many codes; of them all, as many as wanted at random.
        rows = torch.randperm(n * math.ceil(draws / n))[:draws].to(device)
        e, z, own, slope = (
            torch.cat(kind, 1).flatten(0, 1)[rows] for kind in list(zip(*parts, strict=True))[1:]
        )
        mixture = _log_mixture([part.q for part in parts], e) - math.log(n)
        rows_at_once = max(1, AT_ONCE // model.sizes.latent)
        prior_nats = torch.cat([prior.log_prob(some) for some in torch.split(z, rows_at_once)])
    told = own.cpu().double() - mixture
    apart = mixture - (slope + prior_nats).cpu().double()
    error = math.sqrt(draws)
    return AggregateDivergence(
        divergence=apart.mean().item(),
        mutual_information=told.mean().item(),
        divergence_stderr=apart.std().item() / error,
        mutual_information_stderr=told.std().item() / error,
        draws=draws,
        examples=n,
    )


class _Drawn(NamedTuple):
    """Posteriors of a batch, with codes drawn from each of them.

    q: batch [B]; of a posterior in the box, the normal before it is bent into it.
    e, z: draws from q and what becomes of them, [k, B, *Z].
    own: ln q(e|x) of the example that it was drawn for.    slope: ln |det ∂z/∂e|; both [k, B].
    """

    q: Distribution
    e: Tensor
    z: Tensor
    own: Tensor
    slope: Tensor


def _drawn(q: Distribution | None, k: int) -> _Drawn | None:
    """`k` codes for each example; None where there is no posterior, or one that is of no use.

    Divergences do not change under a map that all posteriors share, such as tanh into the box, and
    before it no number has been rounded to a wall.
    """
    bend: Bijection | None = None
    if isinstance(q, Pushforward):
        q, bend = (q.base, q.bijection) if isinstance(q.bijection, Tanh) else (None, None)
    if q is None:
        return None
    e = q.sample(Size((k,)))
    own = q.log_prob(e)
    z, slope = (e, torch.zeros_like(own)) if bend is None else bend.forward(e)
    return _Drawn(q, e, z, own, slope)


def _log_mixture(posteriors: list[Distribution], e: Tensor) -> Tensor:
    """ln Σₙ qₙ(e) of draws [S, *Z] under all posteriors, nats: [S], float64, on the processor."""
    count = sum(q.batch_shape[0] for q in posteriors)
    total = torch.full((len(e),), -math.inf, dtype=torch.float64)
    with Bar("aggregate posterior", count * len(e)) as bar:
        for q in posteriors:
            pairs = q.batch_shape[0]
            rows = max(1, AT_ONCE // (pairs * e[0].numel()))
            for start in range(0, len(e), rows):
                part = slice(start, start + rows)
                # On the CPU, because not every accelerator has float64.
                nats = q.log_prob(e[part].unsqueeze(1)).logsumexp(1).cpu().double()
                total[part] = torch.logaddexp(total[part], nats)
                bar.update(pairs * len(nats))
    return total
