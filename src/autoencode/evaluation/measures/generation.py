"""Images of random codes, compared with test images in the features of a classifier."""

from __future__ import annotations

from collections.abc import Iterator

from autoencode.evaluation.context import MAX_GENERATED, EvaluationContext
from autoencode.evaluation.metrics.generation import (
    copies,
    density_coverage,
    diversity,
    frechet_distance,
    precision_recall,
)
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record

# Fewer examples have no meaningful neighbourhoods.
MIN_EXAMPLES = 20
SQUARED, SHARE = "squared units of the features", "share of images"


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Fréchet distance, precision, recall, density, coverage, diversity, copies, label fidelity."""
    if len(ctx.test) < MIN_EXAMPLES:
        return
    images, reference = ctx.generated, ctx.reference
    features, real = images.features, reference.test_features[:MAX_GENERATED]
    n, name_of_features = len(features), reference.features.name
    source = f"of {n:,} images decoded from {images.source}; {name_of_features}"
    precision, recall = precision_recall(real, features)
    density, coverage = density_coverage(real, features)
    copy_ratio, copied = copies(reference.test_distances, images.distances)
    for name, value, unit, note in (
        (
            "frechet_distance",
            frechet_distance(real, features),
            SQUARED,
            f"Fréchet distance to {len(real):,} test images, {source}; it is not FID",
        ),
        (
            "frechet_distance_of_train",
            frechet_distance(real, reference.train_features[: len(real)]),
            SQUARED,
            f"For reference: of as many training images; {name_of_features}",
        ),
        ("precision", precision, SHARE, f"Generated images among the test, {source}"),
        ("recall", recall, SHARE, f"Test images among the generated, {source}"),
        (
            "density",
            density,
            "balls of a test image, over k",
            f"Test images around a generated one, {source}",
        ),
        ("coverage", coverage, SHARE, f"Test images with a generated one near, {source}"),
        (
            "diversity",
            diversity(features) / diversity(real),
            "1 for test images",
            f"Mean distance of two images, as a multiple of that of two test images, {source}",
        ),
        (
            "copy_distance_ratio",
            copy_ratio,
            "1 for test images",
            f"Median distance to the nearest training image, over that of test images, {source}",
        ),
        (
            "copies",
            copied,
            "share of images; 0.01 for test images",
            f"Images as near to a training image as the nearest 1 % of test images, {source}",
        ),
    ):
        yield Record(name, value, unit, n, f"{note}.")
    if images.labels is not None and images.probabilities is not None:
        right = images.probabilities.argmax(1) == images.labels
        note = f"Images that the classifier assigns to the requested class, {source}."
        value = right.double().mean().item()
        yield Record("label_fidelity", value, SHARE, n, note, bootstrap(right))
