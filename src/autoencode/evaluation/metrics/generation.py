"""Images of random codes compared with real images, in features: quality, copies and gaps.

Precision, recall, density and coverage are by nearest neighbours: each example has a ball that
reaches to its kth nearest neighbour in its own set, and the balls of a set estimate where its
distribution has mass.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from autoencode.arguments import Count, Seed, Share, check_value
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import as_features, check_distances
from autoencode.evaluation.thresholds import IMPLAUSIBLE_QUANTILE

# Distances in memory at once: 64 MB.
MAX_DISTANCES = 2**23
# More than rounding adds to a squared distance, relative to the squares that it is made of.
ROUNDING = 1e-12
# Images as near to a training image as this share of the test images may be copies.
NEAR_QUANTILE = 0.01
# Images that each image is compared with on either side, if not with all.
MAX_PARTNERS = 100
# An image is of a class if the probability of that class is at least this, or less if 5 % of the
# test images do not reach it.
MAX_CERTAINTY = 0.9
UNCERTAIN_QUANTILE = 0.05


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared Fréchet distance of normals fitted to features [N, F] and [M, F].

    |μ − ν|² + tr(Σ + Γ − 2 (ΣΓ)^½), 0 for the same mean and covariance, in squared units of the
    features: values compare only within the features of one classifier. The estimate is biased
    upwards, more so for fewer examples: always compare at equal N and equal M. Computed in
    float64, for covariances of any rank.  Source: [dowson1982], [heusel2017].

    Raises:
        DataError: not two matrices of equally many features, or fewer than two examples.
        Diverged: features that are not finite.
    """
    means, roots = [], []
    for features in as_features(a, b, least=2):
        means.append(features.mean(0))
        # Σ = RᵀR. To square R into Σ would lose half of the digits of its small directions.
        centred = (features - means[-1]) / (len(features) - 1) ** 0.5
        roots.append(torch.linalg.qr(centred, mode="r").R)
    # The eigenvalues of ΣΓ = RᵀR SᵀS that are not 0 are the squared singular values of R Sᵀ.
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = roots[0].square().sum() + roots[1].square().sum() - 2 * shared
    distance = float((means[0] - means[1]).square().sum() + spread)
    return max(0.0, distance)  # rounding may leave a small negative number for equal sets


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of generated examples among the real, and of real among the generated: in [0, 1].

    Precision: the share of generated features [M, F] that lie in the ball of any real one [N, F],
    whose radius is the distance of its kth nearest neighbour among the real; implausible images
    lower it. Recall: the same with both sets exchanged; data that are never generated lower it.
    Both depend on N, M and k and are not 1 for equal distributions: always compare at equal N, M
    and k, and with the values of other real examples. An outlier among the real has a large ball,
    which affects `density_coverage` less.  Source: [kynkaanniemi2019].

    Raises:
        DataError: not two matrices of equally many features, or k examples or fewer in one.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    precision, recall = _inside(b, a, k).any(1), _inside(a, b, k).any(1)
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> tuple[float, float]:
    """How many balls of real examples each generated one lies in, and the share of balls in use.

    The ball of a real example reaches to its kth nearest neighbour among the real features [N, F].
    Density: the number of balls that a generated example [M, F] lies in, mean over the M, over k;
    1 expected for equal distributions, more where only the densest parts are generated. Coverage:
    the share of balls with a generated example in them; for equal distributions,
    1 − (N−1)…(N−k) / ((N+M−1)…(N+M−k)) is expected, 0.97 for N = M and k = 5.

    Balls are closed: a set of copies of the real one has density (k + 1) / k, because each lies in
    its own ball as well, and coverage 1.  Source: [naeem2020].

    Raises:
        DataError: not two matrices of equally many features, or k examples or fewer in one.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    inside = _inside(b, a, k)
    density = int(inside.sum()) / (k * len(inside))
    return density, inside.any(0).double().mean().item()


def _centred(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sets in float64, centred so that squared distances lose the fewest digits.

    Raises:
        DataError, Diverged, RecipeError: see `precision_recall`.
    """
    check_value(k, Count, "k")
    a, b = as_features(real, generated, least=k + 1)
    centre = a.mean(0)
    return a - centre, b - centre


def _inside(queries: Tensor, centres: Tensor, k: int) -> Tensor:
    """Whether each query [M, F] lies in the ball of each centre [N, F]: [M, N], bool."""
    rows = max(1, MAX_DISTANCES // len(centres))
    # The nearest of each centre is itself; copies of it count as neighbours.
    nearest = [
        torch.cdist(some, centres).topk(k + 1, largest=False).values[:, -1]
        for some in torch.split(centres, rows)
    ]
    squares = torch.cat(nearest).square()
    # An example on the edge is inside, however both distances were rounded.
    radii = (squares + ROUNDING * (squares + centres.square().sum(1))).sqrt()
    return torch.cat([torch.cdist(some, centres) <= radii for some in torch.split(queries, rows)])


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
