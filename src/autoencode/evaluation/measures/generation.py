"""Images of random codes, held to test images in the features of a classifier."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import MOST_DRAWN, EvaluationContext
from autoencode.evaluation.metrics.copying import copies, diversity
from autoencode.evaluation.metrics.generation import frechet_distance
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.metrics.manifolds import density_coverage, precision_recall
from autoencode.evaluation.records import Record

# Fewer have no neighbourhoods to speak of.
LEAST = 20


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """Fréchet distance, precision, recall, density, coverage, diversity, copies, label fidelity."""
    if len(subject.test) < LEAST:
        return
    drawn, real = subject.drawn, subject.real.test_features[:MOST_DRAWN]
    n = len(drawn.features)
    how = f"of {n:,} images decoded from {drawn.how}; {subject.real.features.name}"
    distance = frechet_distance(real, drawn.features)
    note = f"Fréchet distance to {len(real):,} test images, {how}; it is no FID."
    yield Record("frechet_distance", distance, "squared units of the features", n, note)
    reference = frechet_distance(real, subject.real.train_features[: len(real)])
    note = f"For reference: that of as many training images; {subject.real.features.name}."
    yield Record("frechet_distance_of_train", reference, "squared units of the features", n, note)
    share = "share of images"
    manifold = precision_recall(real, drawn.features)
    balls = density_coverage(real, drawn.features)
    for name, value, unit, what in (
        ("precision", manifold.precision, share, "Generated images among the test images"),
        ("recall", manifold.recall, share, "Test images among the generated"),
        (
            "density",
            balls.density,
            "balls of a test image, over k",
            "Test images around a generated one",
        ),
        ("coverage", balls.coverage, share, "Test images with a generated one near"),
    ):
        yield Record(name, value, unit, n, f"{what}, {how}.")
    spread = diversity(drawn.features) / diversity(real)
    note = f"Mean distance of two images, as a multiple of that of two test images, {how}."
    yield Record("diversity", spread, "1 for test images", n, note)
    copied = copies(subject.real.test_distances, drawn.distances)
    note = f"Median distance to the nearest training image, over that of test images, {how}."
    yield Record("copy_distance_ratio", copied.ratio, "1 for test images", n, note)
    note = f"Images as near to a training image as the nearest 1 % of test images, {how}."
    yield Record("copies", copied.share, "share of images; 0.01 for test images", n, note)
    if drawn.labels is not None and drawn.proba is not None:
        told = (drawn.proba.argmax(1) == drawn.labels).double()
        note = f"Images in which the classifier sees the class that was asked for, {how}."
        yield Record("label_fidelity", told.mean().item(), share, n, note, bootstrap(told))
