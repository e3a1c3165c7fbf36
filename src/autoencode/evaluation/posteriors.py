"""KL divergences between posteriors and prior: of each dimension, and of all codes together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from autoencode.arguments import check_value
from autoencode.contract import Autoencoder, Within
from autoencode.errors import DataError
from autoencode.io.progress import Bar
from autoencode.maths import Bijection, Pushforward, Tanh
from autoencode.models.inference import BATCH_SIZE, in_batches, measuring, seeded

SAMPLES = 2_000
# Numbers in all pairs of a draw and a posterior, which limits the draws, and in the pairs in
# memory at once.
MAX_NUMBERS, MAX_NUMBERS_AT_ONCE = 2**29, 2**19
MIN_DRAWS = 100


@dataclass(frozen=True)
class AggregateDivergence:
    """The two parts of the mean KL(q(z|x) ‖ p(z)), in nats: KL(q(z) ‖ p(z)) + I(x; z).

    divergence: KL(q(z) ‖ p(z)) of the mean posterior of the examples.
    mutual_information: I(x; z) of a code and the example that it is of; at most ln `examples`.
    divergence_stderr, mutual_information_stderr: standard errors over the draws; they say nothing
        about other examples.
    draws, examples: the number of codes drawn, and of posteriors in q(z).
    """

    divergence: float
    mutual_information: float
    divergence_stderr: float
    mutual_information_stderr: float
    draws: int
    examples: int


def kl_per_dimension(
    model: Autoencoder, x: Tensor, context: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor | None:
    """KL(q(zᵢ|x) ‖ p(zᵢ)) of each latent dimension zᵢ, nats, mean over the examples: [d].

    A dimension with 0 nats carries no information about x. The sum over i is the KL of the code.
    None unless posterior and prior are normal with independent dimensions.
    """

    def summed(batch: Tensor, context: Tensor | None) -> Tensor | None:
        q, p = _normals(model.encode(batch, context).q), _normals(model.prior(context))
        return None if q is None or p is None else kl_divergence(q, p).sum(0).flatten().cpu()

    found = in_batches(model, x, summed, "KL", batch_size, context)
    sums = [nats for nats in found if nats is not None]
    return (torch.stack(sums).double().sum(0) / len(x)).float() if sums else None


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
    a code was drawn for. Both are unbiased, and their sum estimates the mean KL(q(z|x) ‖ p(z)). If
    that is far above ln N, I is ln N and the remainder is in the divergence, so that values compare
    only at equal N. Fewer codes are drawn if N codes are large, but at least a hundred.

    Deterministic; weights, training mode and torch's random state are left as they were.
    Source: [hoffman2016].

    None for codes without a posterior; without a prior, or with a different one for each context;
    and for posteriors that each have their own flow, whose density at the codes of other examples
    would need the inverse of a flow for each pair.

    context: for a conditional model, labels [N] or features [N, C] of the examples.

    Raises:
        DataError: no examples, or examples of another shape than the model's.
        RecipeError: `samples` or `batch_size` is not a positive whole number.
    """
    check_value(samples, Annotated[int, Within(2, 10**9)], "samples")
    n = len(x)
    if n == 0:
        raise DataError(
            "There are no examples whose codes could be compared with the prior", "Give some."
        )
    numbers = n * model.sizes.latent
    draws = min(samples, max(MIN_DRAWS, MAX_NUMBERS // numbers))
    with measuring(model) as device, seeded(seed, device):
        prior = model.prior(None if context is None else context[:1].to(device))
        if prior is None or prior.batch_shape:
            return None

        k = math.ceil(draws / n)
        found = in_batches(
            model, x, lambda b, c: _draw(model.encode(b, c).q, k), "posteriors", batch_size, context
        )
        parts = [part for part in found if part is not None]
        if not parts:
            return None
        # Each example gives equally many codes; `draws` of all of them are taken at random.
        rows = torch.randperm(n * k)[:draws].to(device)
        posteriors, codes = zip(*parts, strict=True)
        e, z, log_q, slope = (
            torch.cat(each, 1).flatten(0, 1)[rows] for each in zip(*codes, strict=True)
        )
        mixture = _log_mixture(posteriors, e) - math.log(n)
        rows_at_once = max(1, MAX_NUMBERS_AT_ONCE // model.sizes.latent)
        log_prior = torch.cat([prior.log_prob(some) for some in torch.split(z, rows_at_once)])
    information = log_q.cpu().double() - mixture
    divergence = mixture - (slope + log_prior).cpu().double()
    root = math.sqrt(draws)
    return AggregateDivergence(
        divergence=divergence.mean().item(),
        mutual_information=information.mean().item(),
        divergence_stderr=divergence.std().item() / root,
        mutual_information_stderr=information.std().item() / root,
        draws=draws,
        examples=n,
    )


def _draw(q: Distribution | None, k: int) -> tuple[Distribution, list[Tensor]] | None:
    """Posteriors [B], and `k` codes for each example; None if they have no density to compare.

    q: of a posterior in the box, the normal before tanh maps it into the box.
    codes: draws e from q and the codes z that they are mapped to, [k, B, *Z]; ln q(e|x) of the
        example that e was drawn for, and ln |det ∂z/∂e|, [k, B].
    Divergences do not change under a map that all posteriors share, such as tanh into the box, and
    before that map no number has been rounded to the edge of the box.
    """
    bijection: Bijection | None = None
    if isinstance(q, Pushforward):
        q, bijection = (q.base, q.bijection) if isinstance(q.bijection, Tanh) else (None, None)
    if q is None:
        return None
    e = q.sample(Size((k,)))
    log_q = q.log_prob(e)
    z, slope = (e, torch.zeros_like(log_q)) if bijection is None else bijection.forward(e)
    return q, [e, z, log_q, slope]


def _log_mixture(posteriors: Sequence[Distribution], e: Tensor) -> Tensor:
    """ln Σₙ qₙ(e) of draws [S, *Z] under all posteriors, nats: [S], float64, on the CPU."""
    count = sum(q.batch_shape[0] for q in posteriors)
    total = torch.full((len(e),), -math.inf, dtype=torch.float64)
    with Bar("aggregate posterior", count * len(e)) as bar:
        for q in posteriors:
            pairs = q.batch_shape[0]
            rows = max(1, MAX_NUMBERS_AT_ONCE // (pairs * e[0].numel()))
            for start in range(0, len(e), rows):
                part = slice(start, start + rows)
                # On the CPU, because not every accelerator has float64.
                nats = q.log_prob(e[part].unsqueeze(1)).logsumexp(1).cpu().double()
                total[part] = torch.logaddexp(total[part], nats)
                bar.update(pairs * len(nats))
    return total


def _normals(distribution: Distribution | None) -> Normal | None:
    """The normals of single dimensions, [*batch, *Z]; None if it is not a product of normals."""
    if not isinstance(distribution, Independent):
        return None
    return distribution.base_dist if isinstance(distribution.base_dist, Normal) else None
