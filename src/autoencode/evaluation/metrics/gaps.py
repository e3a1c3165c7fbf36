"""Gaps between codes: how much of the mass of random codes decodes to something that is no data."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.copying import check_distances

# The highest probability of a class from which on an image counts as one of that class, at most.
SURE = 0.9
# Of test images, those that the classifier is least sure of.
LEAST_SURE = 0.05


class Unsure(NamedTuple):
    """share: of the drawn images that are unsure, in [0, 1].

    of_test: the same share of the test images, for reference: what a perfect model would reach.
    threshold: the highest probability of a class, below which an image is unsure.
    """

    share: float
    of_test: float
    threshold: float


def gap_share(of_held_out: Tensor, of_drawn: Tensor, level: float = 0.99) -> float:
    """The share of drawn images farther from all real ones than real ones are: in [0, 1].

    Far is an image whose nearest reference (training) image is farther away than that of all but
    1 − `level` of the held-out (test) images. Given are those distances, of held-out images [N]
    and of the images of random codes [M], see `nearest`; the share is that of far ones among the
    latter. For a model without gaps, 1 − `level` is expected.

    It depends on what the codes were drawn from (the prior, a box around known codes): say which.
    An image that looks real and is new counts as real.

    Raises:
        DataError: distances that are no list, or none.
        RecipeError: `level` is not between 0 and 1.
    """
    check_value(level, Annotated[float, Within(0, 1)], "level")
    check_distances(of_held_out, of_drawn)
    return (of_drawn > of_held_out.quantile(level)).double().mean().item()


def unsure_share(test_proba: Tensor, drawn_proba: Tensor) -> Unsure:
    """The share of drawn images that a classifier takes for none of the classes with certainty.

    Unsure is an image whose highest class probability is below that of all but 5 % of the test
    images, or below 0.9 if that is less: where a classifier is all but certain of every test image,
    a little less certainty is not yet a gap. Probabilities are [N, K] of test images and [M, K] of
    the images of random codes; both shares are taken with one threshold.

    A classifier may be certain of images that are no data; `gap_share` is the stricter judge.

    Raises:
        DataError: no two matrices of as many classes, an empty one, or values outside [0, 1].
    """
    both = (test_proba, drawn_proba)
    if any(p.dim() != 2 or p.shape[1] != test_proba.shape[-1] or p.numel() == 0 for p in both):
        raise DataError(
            "Probabilities of classes are compared, (N, K) and (M, K) with an example or more, and "
            f"these are {tuple(test_proba.shape)} and {tuple(drawn_proba.shape)}"
        )
    if not all(((p >= 0) & (p <= 1 + 1e-4)).all() for p in both):
        raise DataError("Probabilities must be numbers from 0 to 1, and some of these are not")
    test, drawn = (p.detach().cpu().double().amax(1) for p in both)
    threshold = min(SURE, test.quantile(LEAST_SURE).item())
    return Unsure(
        (drawn < threshold).double().mean().item(),
        (test < threshold).double().mean().item(),
        threshold,
    )
