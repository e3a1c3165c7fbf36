"""The latent space: classes and clusters, neighbourhoods, and the codes compared with the prior."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.contract import Space
from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.metrics.class_probes import linear_probe_hits
from autoencode.evaluation.metrics.clusters import (
    MAX_SILHOUETTE_CODES,
    adjusted_rand,
    kmeans_clusters,
    matched_accuracy,
    normalised_mutual_information,
    silhouette,
)
from autoencode.evaluation.metrics.intervals import bootstrap_of
from autoencode.evaluation.metrics.neighbourhoods import (
    MAX_CODES,
    MAX_RANKED,
    NEIGHBOURS,
    continuity,
    intrinsic_dimension,
    trustworthiness,
)
from autoencode.evaluation.metrics.prior import active_units, maximum_mean_discrepancy
from autoencode.evaluation.posteriors import aggregate_divergence
from autoencode.evaluation.records import Record
from autoencode.evaluation.thresholds import MIN_ACTIVE_VARIANCE
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.inference import seeded
from autoencode.parts.priors.learned import NormalMixture

# Half the width of a 95 % interval of a normal estimate, in standard errors.
STANDARD_ERRORS = 1.96
# Training codes for a linear probe; it learns little more from more.
MAX_PROBE_CODES = 20_000
# Fewer codes have no meaningful neighbourhoods.
MIN_CODES = 4 * NEIGHBOURS


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Classes, clusters, neighbours and the prior, as far as the model and the data have them."""
    codes, n = ctx.codes, len(ctx.test)
    if ctx.labels is not None:
        labels = ctx.labels[1]
        count = len(torch.unique(labels))
        if count > 1:
            yield from _probe(ctx, labels)
            if n > len(ctx.data.classes):
                yield from _clusters(ctx, labels, count)
    distinct = len(torch.unique(codes, dim=0)) if n >= MIN_CODES else 0
    if distinct >= MIN_CODES:
        yield from _neighbours(ctx, has_copies=distinct < n)
    if n > 1 and ctx.recipe.prior is not None and ctx.model.space is not Space.CODES:
        yield from _prior(ctx)


def _probe(ctx: EvaluationContext, labels: Tensor) -> Iterator[Record]:
    codes, train = ctx.labelled_codes(MAX_PROBE_CODES)
    if len(torch.unique(train)) < 2:
        return
    note = (
        "Test examples that multinomial logistic regression on the code classifies correctly; "
        f"fitted to {len(codes):,} training codes."
    )
    hits = linear_probe_hits(codes, train, ctx.codes, labels)
    yield ctx.mean("linear_probe_accuracy", hits, "fraction", note)


def _clusters(ctx: EvaluationContext, labels: Tensor, k: int) -> Iterator[Record]:
    most = min(len(labels), MAX_SILHOUETTE_CODES)
    note = (
        f"Mean silhouette of {most:,} test codes, by the classes of the examples; 1 for compact "
        "classes far apart, 0 for overlapping ones."
    )
    yield Record("silhouette", silhouette(ctx.codes, labels), "from −1 to 1", most, note)
    found = kmeans_clusters(ctx.codes, k, SEED)
    yield from _agreement("kmeans", f"k-means clusters of the test codes, k = {k}", found, labels)
    prior = ctx.model.latent_prior if isinstance(ctx.model, SlotAutoencoder) else None
    if isinstance(prior, NormalMixture):
        own = prior.responsibilities(ctx.codes.to(ctx.device)).argmax(-1).cpu()
        yield from _agreement("own", "the model's own clusters of the test examples", own, labels)


def _agreement(name: str, what: str, clusters: Tensor, labels: Tensor) -> Iterator[Record]:
    for metric, statistic, unit, how in (
        (
            "accuracy",
            matched_accuracy,
            "fraction",
            "Test examples in the class that their cluster is matched with, one to one",
        ),
        ("ari", adjusted_rand, "1 for the classes, 0 by chance", "Adjusted Rand index"),
        (
            "nmi",
            normalised_mutual_information,
            "from 0 to 1",
            "Normalised mutual information with the classes",
        ),
    ):
        value = statistic(clusters, labels)
        interval = bootstrap_of(statistic, clusters, labels)
        yield Record(f"{name}_{metric}", value, unit, len(labels), f"{how}; {what}.", interval)


def _neighbours(ctx: EvaluationContext, has_copies: bool) -> Iterator[Record]:
    x, codes, n = ctx.test.x, ctx.codes, len(ctx.codes)
    for name, statistic, what in (
        ("trustworthiness", trustworthiness, "neighbours of a code are neighbours as examples"),
        ("continuity", continuity, "neighbours of an example are neighbours as codes"),
    ):
        note = f"How far the {NEIGHBOURS} {what}; 1 if all are, about ½ for random codes."
        yield Record(name, statistic(x, codes), "from 0 to 1", min(n, MAX_RANKED), note)
    if not has_copies:
        note = "Dimension of the manifold of the codes, by the distances to two neighbours (TwoNN)."
        value = intrinsic_dimension(codes)
        yield Record("intrinsic_dimension", value, "dimensions", min(n, MAX_CODES), note)


def _prior(ctx: EvaluationContext) -> Iterator[Record]:
    n = len(ctx.test)
    note = (
        f"Latent dimensions whose mean has a variance above {MIN_ACTIVE_VARIANCE} over the test "
        "examples."
    )
    yield Record("active_units", active_units(ctx.codes), "dimensions", n, note)
    draws = _draws(ctx)
    if draws is None:
        return
    note = (
        f"Squared maximum mean discrepancy of {n:,} test codes, drawn from their posterior, and as "
        "many draws from the prior; inverse multiquadratic kernels."
    )
    value = maximum_mean_discrepancy(*draws)
    yield Record("mmd_to_prior", value, "0 for the same distribution, 2 at most", n, note)
    found = aggregate_divergence(ctx.model, ctx.test.x, ctx.context, batch_size=ctx.batch_size)
    if found is None:
        return
    how = f"q(z) is the mean of {found.examples:,} test posteriors, {found.draws:,} draws."
    for name, value, error, what in (
        (
            "aggregate_kl",
            found.divergence,
            found.divergence_stderr,
            "KL(q(z) ‖ p(z)) of the prior from the codes of all examples",
        ),
        (
            "mutual_information",
            found.mutual_information,
            found.mutual_information_stderr,
            f"I(x; z) of a code and its example, at most ln {found.examples:,}",
        ),
    ):
        interval = (value - STANDARD_ERRORS * error, value + STANDARD_ERRORS * error)
        yield Record(name, value, "nats", n, f"{what}; {how}", interval)


def _draws(ctx: EvaluationContext) -> tuple[Tensor, Tensor] | None:
    """Codes drawn from the posteriors of the test examples, and as many from the prior, [N, d].

    None if there is a different prior for each context.
    """
    model, context = ctx.model, ctx.context
    with torch.no_grad(), seeded(SEED, ctx.device):
        prior = model.prior(None if context is None else context[:1].to(ctx.device))
        if prior is None or prior.batch_shape:
            return None
        of_prior = prior.sample(torch.Size((len(ctx.test),))).flatten(1).float().cpu()
        codes = ctx.in_batches(
            lambda x, features: (
                model.encode(x, features, samples=1).z.flatten(0, 1).flatten(1).float().cpu()
            ),
            "drawing codes",
        )
    return torch.cat(codes), of_prior
