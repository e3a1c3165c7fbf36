"""Implausible images: the share of random codes that decode to an image unlike the data."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.contract import Space
from autoencode.evaluation.context import EvaluationContext, GeneratedImages
from autoencode.evaluation.metrics.generation import gap_share, uncertain_share
from autoencode.evaluation.metrics.intervals import bootstrap_share
from autoencode.evaluation.records import Record
from autoencode.evaluation.thresholds import IMPLAUSIBLE_QUANTILE


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """The share of implausible images from random codes, and from the box of training codes."""
    yield from _shares(ctx, ctx.generated, "")
    # Between the entries of a code book, and off the sphere, there is nothing to decode.
    box = ctx.model.space in (Space.REAL, Space.BOX)
    if box and ctx.generated.source != ctx.generated_in_box.source:
        yield from _shares(ctx, ctx.generated_in_box, "_in_box")


def _shares(ctx: EvaluationContext, images: GeneratedImages, suffix: str) -> Iterator[Record]:
    n, reference = len(images.features), ctx.reference
    source = f"of {n:,} images decoded from {images.source}"

    def record(name: str, share: float, of_test: float, note: str) -> Record:
        unit = f"share of images; {of_test:.2f} for test images"
        return Record(f"{name}{suffix}", share, unit, n, note, bootstrap_share(share, n))

    expected = 1 - IMPLAUSIBLE_QUANTILE
    note = (
        f"Images farther from every training image than all but {expected:.0%} of test images, "
        f"{source}; {reference.features.name}."
    )
    share = gap_share(reference.test_distances, images.distances)
    yield record("gaps", share, expected, note)
    if images.probabilities is not None and reference.test_probabilities is not None:
        found = uncertain_share(reference.test_probabilities, images.probabilities)
        note = (
            f"Images of no class with a probability of {found.threshold:.2f} or more, {source}; "
            "the classifier of the features."
        )
        yield record("unsure", found.share, found.of_test, note)
