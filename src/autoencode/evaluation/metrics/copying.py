"""Whether generated images are copies of training images, and how diverse they are."""

from __future__ import annotations

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from autoencode.arguments import Seed, check_value
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import as_features, check_distances

# Images as near to a training image as this share of the test images may be copies.
NEAR_QUANTILE = 0.01
# Images that each image is compared with on either side, if not with all.
MAX_PARTNERS = 100


def nearest_distances(queries: Tensor, references: Tensor) -> Tensor:
    """The distance of each query [N, F] to the nearest of the references [M, F]: [N], float64.

    Euclidean, over all references; memory is bounded. The distance of a query that is a reference
    itself is 0.

    Raises:
        DataError: not two matrices of equally many features, or an empty one.
        Diverged: features that are not finite.
    """
    a, b = as_features(queries, references)
    # Squared distances are taken from products: centred, they keep the most digits.
    centre = b.mean(0)
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit((b - centre).numpy())
    found = neighbours.kneighbors((a - centre).numpy(), return_distance=False)
    index = torch.from_numpy(found[:, 0])
    # The products give copies a distance slightly above 0; the difference itself gives 0.
    distances: Tensor = (a - b[index]).norm(dim=1)
    return distances


def copies(test_distances: Tensor, generated_distances: Tensor) -> tuple[float, float]:
    """The ratio of median distances to training images, and the share of possible copies.

    Compares the distance of each generated image to its nearest training image [M] with that of
    each test image [N], see `nearest_distances`: both have the same distribution if the model
    draws new images from the distribution of the data. The ratio is the median of the generated
    images over the median of the test images: below 1 for copies and for images with less detail
    than real ones, above 1 for images unlike the data. The share counts the generated images that
    are as near as the nearest 1 % of the test images, which detects a few copies among many new
    images. The distances should be to all training images.  After the idea of [meehan2020].

    Raises:
        DataError: tensors that are not lists of distances, or empty ones; or half of the test
            images are training images too.
    """
    check_distances(test_distances, generated_distances)
    median = test_distances.quantile(0.5)
    if median == 0:
        raise DataError(
            "Copies cannot be distinguished from new images: half of the test images are training "
            "images too"
        )
    share = (generated_distances <= test_distances.quantile(NEAR_QUANTILE)).double().mean()
    return (generated_distances.quantile(0.5) / median).item(), share.item()


def diversity(features: Tensor, seed: int = 0) -> float:
    """The mean Euclidean distance of two different images, in units of the features [N, F].

    Over all pairs of up to 101 images; of more, each is paired with 200 others, drawn by `seed`.
    Divide it by the value of real images: below 1, generated images are more alike.

    Raises:
        DataError: not a matrix, or fewer than two images.
        Diverged: features that are not finite.
        RecipeError: `seed` is out of range.
    """
    check_value(seed, Seed, "seed")
    (x,) = as_features(features, least=2)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]
    # In a circle of random order, each is paired with the next ones: all count equally.
    steps = range(1, min(MAX_PARTNERS, len(x) - 1) + 1)
    return float(sum((x - x.roll(step, 0)).norm(dim=1).mean() for step in steps) / len(steps))
