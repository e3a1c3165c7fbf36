"""Codes and classes: KL of each dimension, sparsity, use of codebooks, and classification."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.class_probes import NEIGHBOURS, knn_hits
from autoencode.evaluation.metrics.codebook import perplexities, used_shares
from autoencode.evaluation.posteriors import kl_per_dimension
from autoencode.evaluation.records import Record
from autoencode.evaluation.sparsity import active_units, by_logistic, is_sparse
from autoencode.evaluation.thresholds import MIN_ACTIVE_KL_NATS, MIN_ACTIVE_LOGISTIC
from autoencode.parts.bottlenecks.quantised import Quantised

# The use of larger codebooks is not measured: few test examples say little about it.
MAX_ENTRIES = 2**20


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """KL of each dimension, active units, use of codebooks, classification error, k-NN accuracy."""
    test, n = ctx.test, len(ctx.test)
    nats = kl_per_dimension(ctx.model, test.x, ctx.context, ctx.batch_size)
    if nats is not None:
        note = "KL of the posterior from the prior in each dimension, mean over test examples."
        yield Record("kl_per_dimension", tuple(nats.tolist()), "nats", n, note)
        active = int((nats > MIN_ACTIVE_KL_NATS).sum())
        note = f"Dimensions of the code with more than {MIN_ACTIVE_KL_NATS} nats of KL."
        yield Record("active_dimensions", active, "dimensions", n, note)
    yield from _sparsity(ctx)
    yield from _codebooks(ctx)
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


def _codebooks(ctx: EvaluationContext) -> Iterator[Record]:
    """How many entries of the codebooks the codes of the test examples use."""
    book = next((each for each in ctx.model.modules() if isinstance(each, Quantised)), None)
    if book is None or book.entries > MAX_ENTRIES:
        return

    def indices(x: Tensor, context: Tensor | None) -> Tensor:
        index = ctx.model.encode(x, context).index
        assert index is not None  # the bottleneck is discrete
        return index.cpu()

    index = torch.cat(ctx.in_batches(indices, "encoding"))
    each = index.reshape(len(index), book.books, -1).transpose(0, 1).flatten(1)
    of = f"of {book.entries:,}" + (
        f", mean over {book.books:,} codebooks" if book.books > 1 else ""
    )
    used, effective = (
        measure(each, book.entries).mean().item() for measure in (used_shares, perplexities)
    )
    note = f"Entries that at least one code of a test example has, as a share; {of}."
    yield Record("codebook_used", used, "fraction", len(index), note)
    note = f"Effective number of entries, e to the entropy of their frequencies; {of}."
    yield Record("codebook_perplexity", effective, "entries", len(index), note)
