"""Implausible images: the share of random codes that decode to an image unlike the data."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from autoencode.arguments import Share, check_value
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import check_distances
from autoencode.evaluation.thresholds import IMPLAUSIBLE_QUANTILE

# An image is of a class if the probability of that class is at least this, or less if 5 % of the
# test images do not reach it.
MAX_CERTAINTY = 0.9
UNCERTAIN_QUANTILE = 0.05


class UncertainShare(NamedTuple):
    """Shares of images for which the classifier is uncertain, in [0, 1].

    share: of the generated images.   of_test: of the test images, what a perfect model reaches.
    threshold: an image is uncertain if its highest class probability is below this.
    """

    share: float
    of_test: float
    threshold: float


def gap_share(
    test_distances: Tensor, generated_distances: Tensor, level: float = IMPLAUSIBLE_QUANTILE
) -> float:
    """The share of generated images that are farther from the data than real images: in [0, 1].

    An image is implausible if its nearest training image is farther away than that of a share
    `level` of the test images. Arguments are these distances, of test images [N] and of the images
    of random codes [M], see `nearest_distances`. For a model without gaps, 1 − `level` is expected.

    The share depends on the distribution of the random codes (the prior, a box around the training
    codes). An image that looks real and is new counts as real.

    Raises:
        DataError: tensors that are not lists of distances, or empty ones.
        RecipeError: `level` is not between 0 and 1.
    """
    check_value(level, Share, "level")
    check_distances(test_distances, generated_distances)
    return (generated_distances > test_distances.quantile(level)).double().mean().item()


def uncertain_share(test: Tensor, generated: Tensor) -> UncertainShare:
    """The share of generated images that a classifier assigns to no class with certainty.

    An image is uncertain if its highest class probability is below that of all but 5 % of the test
    images, or below 0.9 if that is less: if a classifier is nearly certain of every test image, a
    little less certainty does not make an image implausible. Probabilities are [N, K] of test
    images and [M, K] of the images of random codes; both shares use one threshold.

    A classifier may be certain of images that are unlike the data; `gap_share` is stricter.

    Raises:
        DataError: not two matrices of equally many classes, an empty one, or values outside [0, 1].
    """
    both = (test, generated)
    if any(p.dim() != 2 or p.shape[1] != test.shape[-1] or p.numel() == 0 for p in both):
        raise DataError(
            "Probabilities of classes are compared, (N, K) and (M, K) with an example or more, and "
            f"these are {tuple(test.shape)} and {tuple(generated.shape)}"
        )
    if not all(((p >= 0) & (p <= 1 + 1e-4)).all() for p in both):
        raise DataError("Probabilities must be numbers from 0 to 1, and some of these are not")
    highest, of_generated = (p.detach().cpu().double().amax(1) for p in both)
    threshold = min(MAX_CERTAINTY, highest.quantile(UNCERTAIN_QUANTILE).item())
    return UncertainShare(
        (of_generated < threshold).double().mean().item(),
        (highest < threshold).double().mean().item(),
        threshold,
    )
