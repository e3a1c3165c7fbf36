"""Whether a model only repeats its training images, and how different its images are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.features import checked

# Of test images, those nearest to a training image: who is as near as they are may be a copy.
NEAREST_TEST = 0.01
# The others that each image is compared with, where not with all.
PARTNERS = 100


@dataclass(frozen=True)
class Nearest:
    """distance: Euclidean, to the nearest reference, [N], float64.    index: which it is, [N]."""

    distance: Tensor
    index: Tensor


class Copies(NamedTuple):
    """ratio: of median distances, 1 where nothing is copied, 0 where all is.

    share: of generated images as near to a training image as the nearest 1 % of test images,
        in [0, 1]; 0.01 is expected where nothing is copied.
    """

    ratio: float
    share: float


def nearest(queries: Tensor, references: Tensor) -> Nearest:
    """The nearest of the references [M, F] to each query [N, F], and how far away it is.

    Euclidean, over all references; memory is bounded. Queries that are references themselves are
    at 0.

    Raises:
        DataError: no two matrices of as many features, or an empty one.
        Diverged: features that are not finite.
    """
    a, b = checked(queries, references)
    # Squared distances are taken from products: centred, they keep the most digits.
    centre = b.mean(0)
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit((b - centre).numpy())
    found = neighbours.kneighbors((a - centre).numpy(), return_distance=False)
    index = torch.from_numpy(found[:, 0])
    # Those products leave copies a little beside 0; the difference itself does not.
    return Nearest((a - b[index]).norm(dim=1), index)


def copies(of_test: Tensor, of_generated: Tensor) -> Copies:
    """Whether generated images are nearer to training images than test images are.

    The distance of each generated image to its nearest training image [M], against that of each
    test image to its own [N], see `nearest`: both have one distribution when the model draws new
    images from that of the data. The ratio is that of the medians, generated over test: below 1
    for copies and for images that are plainer than real ones, above 1 for images unlike any. The
    share counts the generated images at the distance of the nearest 1 % of test images or below,
    which is sharper for few copies among many new images. All training images should be given.
    After the idea of [meehan2020].

    Raises:
        DataError: distances that are no list, or none; or half of the test images are training
            images too.
    """
    check_distances(of_test, of_generated)
    median = of_test.quantile(0.5)
    if median == 0:
        raise DataError(
            "Copies cannot be told from new images: half of the test images are training images too"
        )
    share = (of_generated <= of_test.quantile(NEAREST_TEST)).double().mean()
    return Copies((of_generated.quantile(0.5) / median).item(), share.item())


def check_distances(*lists: Tensor) -> None:
    """Refuses what are no distances, [N] each.

    Raises:
        DataError: no list, or an empty one.
    """
    if any(each.dim() != 1 or len(each) == 0 for each in lists):
        raise DataError(
            "Distances are compared, one for each image, and these have the shapes "
            + " and ".join(str(tuple(each.shape)) for each in lists)
        )


def diversity(features: Tensor, seed: int = 0) -> float:
    """The mean Euclidean distance of two different images, in units of the features [N, F].

    Over all pairs for up to 101 images; of more, each is paired with 200 others, drawn by `seed`.
    Set it in relation to that of real images: below 1, generated images are more alike.

    Raises:
        DataError: no matrix, or fewer than two images.
        Diverged: features that are not finite.
        RecipeError: `seed` is out of range.
    """
    check_value(seed, Annotated[int, Within(0, 2**63 - 1)], "seed")
    (x,) = checked(features, least=2)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]
    # Around a circle in random order, to the next, the one after it and so on: each counts equally.
    steps = range(1, min(PARTNERS, len(x) - 1) + 1)
    return float(sum((x - x.roll(step, 0)).norm(dim=1).mean() for step in steps) / len(steps))
