"""Codes and classes: KL of each latent dimension, sparsity, and accuracy of classification."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.class_probes import NEIGHBOURS, knn_hits
from autoencode.evaluation.posteriors import kl_per_dimension
from autoencode.evaluation.records import Record
from autoencode.evaluation.sparsity import active_units, by_logistic, is_sparse
from autoencode.evaluation.thresholds import MIN_ACTIVE_KL_NATS, MIN_ACTIVE_LOGISTIC


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """KL of each dimension, active units per example, classification error and k-NN accuracy."""
    test, n = ctx.test, len(ctx.test)
    nats = kl_per_dimension(ctx.model, test.x, ctx.context, ctx.batch_size)
    if nats is not None:
        note = "KL of the posterior from the prior in each dimension, mean over test examples."
        yield Record("kl_per_dimension", tuple(nats.tolist()), "nats", n, note)
        active = int((nats > MIN_ACTIVE_KL_NATS).sum())
        note = f"Dimensions of the code with more than {MIN_ACTIVE_KL_NATS} nats of KL."
        yield Record("active_dimensions", active, "dimensions", n, note)
    yield from _sparsity(ctx)
    if test.y is not None and ctx.predicted is not None:
        wrong, known = ctx.predicted != test.y, test.y >= 0
        note = "Test examples whose predicted class is wrong."
        yield ctx.mean("classification_error", wrong[known], "fraction", note, known)
    if ctx.labels is not None:
        codes, labels = ctx.labelled_codes()
        note = (
            f"Test examples classified correctly by the {min(NEIGHBOURS, len(codes))} training "
            "examples with the nearest codes; neighbours are training codes, queries test codes."
        )
        hits = knn_hits(codes, labels, ctx.codes, ctx.labels[1])
        yield ctx.mean("knn_accuracy", hits, "fraction", note)


def _sparsity(ctx: EvaluationContext) -> Iterator[Record]:
    """The number of active latent dimensions per example, and the share of those that never are.

    Of models that are meant to be sparse.

    A dimension is active if it is not 0; with the term "kl-sparsity", if the term counts it so.
    """
    if not is_sparse(ctx.recipe):
        return
    active, what = active_units(ctx.codes, ctx.recipe), "are not 0"
    if by_logistic(ctx.recipe):
        what = f"have a logistic function above {MIN_ACTIVE_LOGISTIC}"
    latent = active.shape[1]
    note = f"Latent dimensions that {what}, mean over test examples; of {latent:,}."
    yield ctx.mean("active_per_example", active.sum(1), "latent dimensions", note)
    note = "active_per_example, as a share of the latent dimensions."
    yield Record("active_share", active.double().mean().item(), "fraction", len(active), note)
    dead = (~active).all(0).double().mean().item()
    note = f"Latent dimensions that are active for none of the {len(active):,} test examples."
    yield Record("dead_share", dead, "fraction of the latent dimensions", len(active), note)
