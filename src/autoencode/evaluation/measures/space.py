"""The space of codes: classes and clusters, neighbourhoods, and the codes against the prior."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.contract import Space
from autoencode.evaluation.aggregate import (
    active_units,
    aggregate_divergence,
    maximum_mean_discrepancy,
)
from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.metrics.clusters import (
    SILHOUETTE_CODES,
    adjusted_rand,
    kmeans_clusters,
    matched_accuracy,
    normalised_mutual_information,
    silhouette,
)
from autoencode.evaluation.metrics.codes import linear_probe_hits
from autoencode.evaluation.metrics.intervals import bootstrap, bootstrap_of
from autoencode.evaluation.metrics.neighbourhoods import (
    MOST_CODES,
    NEIGHBOURS,
    RANKED,
    continuity,
    intrinsic_dimension,
    trustworthiness,
)
from autoencode.evaluation.records import Record
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.inference import seeded

# An interval of 95 % of a normal estimate, on either side.
SIGMAS = 1.96
# A linear probe learns little more from more.
PROBED = 20_000
# Fewer codes have no neighbourhoods to speak of.
LEAST = 4 * NEIGHBOURS


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """How classes, neighbours and the prior look from the codes."""
    codes, n = subject.codes, len(subject.test)
    if subject.has_labels and len(subject.test.y.unique()) > 1:
        yield from _probe(subject)
        if n > len(subject.data.classes):
            yield from _classes(subject)
    distinct = len(codes.unique(dim=0)) if n >= LEAST else 0
    if distinct >= LEAST:
        yield from _neighbours(subject, distinct == n)
    if subject.recipe.prior is not None and subject.model.space is not Space.CODES:
        yield from _prior(subject)


def _probe(subject: EvaluationContext) -> Iterator[Record]:
    train, n = subject.data.train.y, len(subject.test)
    known = (train >= 0).nonzero().flatten()[:PROBED]
    if len(train[known].unique()) < 2:
        return
    hits = linear_probe_hits(
        subject.train_codes[known], train[known], subject.codes, subject.test.y
    ).double()
    note = (
        "Test examples whose class multinomial logistic regression tells from the code; fitted to "
        f"{len(known):,} training codes."
    )
    value = hits.mean().item()
    yield Record("linear_probe_accuracy", value, "fraction", n, note, bootstrap(hits))


def _classes(subject: EvaluationContext) -> Iterator[Record]:
    codes, labels = subject.codes, subject.test.y
    k, n = len(labels.unique()), len(labels)
    how = "test codes, by the classes of the examples"
    most = min(n, SILHOUETTE_CODES)
    note = f"Mean silhouette of {most:,} {how}; 1 for tight classes far apart, 0 for none."
    value = silhouette(codes, labels)
    yield Record("silhouette", value, "from −1 to 1", most, note)
    found = kmeans_clusters(codes, k, SEED)
    yield from _agreement("kmeans", f"k-means clusters of the test codes, k = {k}", found, labels)
    own = _own_clusters(subject)
    if own is not None:
        yield from _agreement("own", "the model's own clusters of the test examples", own, labels)


def _agreement(name: str, what: str, clusters: Tensor, labels: Tensor) -> Iterator[Record]:
    for figure, statistic, unit, how in (
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
        yield Record(f"{name}_{figure}", value, unit, len(labels), f"{how}; {what}.", interval)


def _own_clusters(subject: EvaluationContext) -> Tensor | None:
    """The likeliest cluster of each test example, of a model whose prior has clusters."""
    model = subject.model
    prior = model.latent_prior if isinstance(model, SlotAutoencoder) else None
    if prior is None or not prior.clustered:
        return None
    return prior.responsibilities(subject.codes.to(subject.device)).argmax(-1).cpu()


def _neighbours(subject: EvaluationContext, no_two_alike: bool) -> Iterator[Record]:
    x, codes = subject.test.x, subject.codes
    n = len(codes)
    for name, statistic, what in (
        (
            "trustworthiness",
            trustworthiness,
            "neighbours of a code are those of its example",
        ),
        ("continuity", continuity, "neighbours of an example are those of its code"),
    ):
        note = f"How far the {NEIGHBOURS} {what}; 1 where all are, about ½ for random codes."
        yield Record(name, statistic(x, codes), "from 0 to 1", min(n, RANKED), note)
    if no_two_alike:
        note = "Directions that the codes fill locally, by the ratio of two neighbours' distances."
        value = intrinsic_dimension(codes)
        yield Record("intrinsic_dimension", value, "dimensions", min(n, MOST_CODES), note)


def _prior(subject: EvaluationContext) -> Iterator[Record]:
    model, codes, n = subject.model, subject.codes, len(subject.test)
    if n < 2:
        return
    units = active_units(codes)
    note = "Numbers of the code whose mean varies by more than 0.01 (variance) over test examples."
    yield Record("active_units", units, "dimensions", n, note)
    drawn, of_prior = _draws(subject)
    if drawn is None or of_prior is None:
        return
    note = (
        f"Squared maximum mean discrepancy of {n:,} test codes, drawn from their posterior, and as "
        "many draws from the prior; inverse multiquadratic kernels."
    )
    value = maximum_mean_discrepancy(drawn, of_prior)
    yield Record("mmd_to_prior", value, "0 for the same distribution, 2 at most", n, note)
    told = subject.told(subject.test)
    found = aggregate_divergence(model, subject.test.x, told, batch_size=subject.batch_size)
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
            f"I(x; z), what a code tells of its example, at most ln {found.examples:,}",
        ),
    ):
        ends = (value - SIGMAS * error, value + SIGMAS * error)
        yield Record(name, value, "nats", n, f"{what}; {how}", ends)


def _draws(subject: EvaluationContext) -> tuple[Tensor | None, Tensor | None]:
    """Codes drawn from the posteriors of the test examples, and as many from the prior, [N, d]."""
    model, told = subject.model, subject.told(subject.test)
    with torch.no_grad(), seeded(SEED, subject.device):
        prior = model.prior(None if told is None else told[:1].to(subject.device))
        if prior is None or prior.batch_shape:  # another prior for each context
            return None, None
        of_prior = prior.sample(torch.Size((len(subject.test),))).flatten(1).float().cpu()
        codes = subject.in_batches(
            lambda x, context: (
                model.encode(x, context, samples=1).z.flatten(0, 1).flatten(1).float().cpu()
            ),
            "drawing codes",
        )
    return torch.cat(codes), of_prior
