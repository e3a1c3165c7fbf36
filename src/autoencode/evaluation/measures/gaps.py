"""Gaps: how much of the mass of random codes decodes to what is no data."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.contract import Space
from autoencode.evaluation.context import Drawn, EvaluationContext
from autoencode.evaluation.metrics.gaps import gap_share, unsure_share
from autoencode.evaluation.metrics.intervals import of_share
from autoencode.evaluation.records import Record

UNIT = "share of images; {:.2f} for test images"
LEVEL = 0.99


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """The share of gaps among what is drawn, and in the box that the training codes fill."""
    yield from _of(subject, subject.drawn, "")
    # Beside the entries of a code book, and off the sphere, there is nothing to decode.
    boxed = subject.model.space in (Space.REAL, Space.BOX)
    if boxed and subject.drawn.how != subject.boxed.how:
        yield from _of(subject, subject.boxed, "_in_box")


def _of(subject: EvaluationContext, drawn: Drawn, suffix: str) -> Iterator[Record]:
    n = len(drawn.features)
    share = gap_share(subject.real.test_distances, drawn.distances, LEVEL)
    how = f"of {n:,} images decoded from {drawn.how}"
    note = (
        f"Images farther from every training image than all but {1 - LEVEL:.0%} of test images, "
        f"{how}; {subject.real.features.name}."
    )
    yield Record(f"gaps{suffix}", share, UNIT.format(1 - LEVEL), n, note, of_share(share, n))
    if drawn.proba is not None:
        unsure = unsure_share(subject.real.test_proba, drawn.proba)
        note = (
            f"Images of no class with a probability of {unsure.threshold:.2f} or more, {how}; the "
            "classifier of the features."
        )
        unit, interval = UNIT.format(unsure.of_test), of_share(unsure.share, n)
        yield Record(f"unsure{suffix}", unsure.share, unit, n, note, interval)
