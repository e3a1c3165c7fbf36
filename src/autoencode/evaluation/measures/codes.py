"""What codes hold: nats for each dimension, and the class by the nearest codes."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.codes import NEIGHBOURS, kl_per_dimension, knn_hits
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record
from autoencode.evaluation.thresholds import MIN_ACTIVE_KL_NATS, MIN_ACTIVE_LOGISTIC

# Bottlenecks that set most of a code to 0, and terms that ask for it.
SPARSE_BOTTLENECKS, SPARSE_TERMS = ("top-k", "batch-top-k"), ("l1", "kl-sparsity")


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """KL of each dimension, the model's own predictions, and k-NN accuracy."""
    data, n = subject.data, len(subject.test)
    nats = kl_per_dimension(subject.model, data.test.x, subject.told(data.test), subject.batch_size)
    if nats is not None:
        note = "KL of the posterior from the prior in each dimension, mean over test examples."
        yield Record("kl_per_dimension", tuple(nats.tolist()), "nats", n, note)
        active = int((nats > MIN_ACTIVE_KL_NATS).sum())
        note = f"Dimensions of the code with more than {MIN_ACTIVE_KL_NATS} nats of KL."
        yield Record("active_dimensions", active, "dimensions", n, note)
    yield from _sparsity(subject)
    if data.test.y is not None and subject.predicted is not None:
        wrong = (subject.predicted != data.test.y).double()
        note = "Test examples whose predicted class is not theirs."
        yield Record(
            "classification_error", wrong.mean().item(), "fraction", n, note, bootstrap(wrong)
        )
    if subject.has_labels:
        told = data.train.y >= 0
        k = min(NEIGHBOURS, int(told.sum()))
        note = (
            f"Test examples whose class is that of most of the {k} training examples with the "
            "nearest codes; neighbours are training codes, queries test codes."
        )
        hits = knn_hits(
            subject.train_codes[told], data.train.y[told], subject.codes, data.test.y, k
        ).double()
        yield Record("knn_accuracy", hits.mean().item(), "fraction", n, note, bootstrap(hits))


def _sparsity(subject: EvaluationContext) -> Iterator[Record]:
    """How many latent dimensions are active for an example, of models that are meant to be sparse.

    Active is what is not 0; of a code trained by "kl-sparsity", what that term counts as active.
    """
    terms = {term.kind for term in subject.recipe.terms.values()} & {*SPARSE_TERMS}
    if not terms and subject.recipe.bottleneck.kind not in SPARSE_BOTTLENECKS:
        return
    codes, what = subject.codes, "are not 0"
    active = codes != 0
    if "kl-sparsity" in terms:
        active = codes.sigmoid() > MIN_ACTIVE_LOGISTIC
        what = f"have a logistic function above {MIN_ACTIVE_LOGISTIC}"
    counts = active.sum(1).double()
    note = f"Latent dimensions that {what}, mean over test examples; of {codes.shape[1]:,}."
    value, n = counts.mean().item(), len(codes)
    yield Record("active_per_example", value, "latent dimensions", n, note, bootstrap(counts))
    note = "active_per_example, as a share of the latent dimensions."
    yield Record("active_share", value / codes.shape[1], "fraction", n, note)
