"""What codes hold: nats for each dimension, and the class by the nearest codes."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.codes import NEIGHBOURS, kl_per_dimension, knn_hits
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record

# A dimension with fewer nats than this carries nothing.
ACTIVE = 0.01


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """KL of each dimension, the model's own predictions, and k-NN accuracy."""
    data, n = subject.data, len(subject.test)
    nats = kl_per_dimension(subject.model, data.test.x, subject.told(data.test), subject.batch_size)
    if nats is not None:
        note = "KL of the posterior from the prior in each dimension, mean over test examples."
        yield Record("kl_per_dimension", tuple(nats.tolist()), "nats", n, note)
        active = int((nats > ACTIVE).sum())
        note = f"Dimensions of the code with more than {ACTIVE} nats of KL."
        yield Record("active_dimensions", active, "dimensions", n, note)
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
