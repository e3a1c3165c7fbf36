"""Features: the space in which real and generated images are compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from autoencode.data import Data, Split, still
from autoencode.errors import DataError
from autoencode.evaluation.classifier import trained_classifier
from autoencode.evaluation.metrics.arrays import as_images
from autoencode.evaluation.metrics.generation import nearest_distances
from autoencode.models.assemble import shape_words
from autoencode.models.inference import BATCH_SIZE, split

COMPONENTS = 64
# Training images that the components are fitted to, and the numbers in all of them: 256 MB.
MAX_FITTED = 10_000
MAX_NUMBERS = 2**26


@dataclass(frozen=True)
class Features:
    """A feature space in which similar images are near each other.

    name: a phrase for notes.
    of: images [N, *X] (uint8, or float in [0, 1]) to features [N, F], float32, on their device.
    predict_proba: images to the probability of each class; None without a classifier.

    Metrics compare only within the same features.
    """

    name: str
    of: Callable[[Tensor], Tensor]
    predict_proba: Callable[[Tensor], Tensor] | None = None

    def probabilities(self, images: Tensor) -> Tensor | None:
        """The probability of each class, [N, K]; None without a classifier."""
        return None if self.predict_proba is None else self.predict_proba(images)


def features_of(data: Data) -> Features:
    """The features that images of these data are compared in, always the same for the same data.

    The features of a classifier (see `trained_classifier`, which may train for a minute) if
    training and test examples have labels, of two classes or more; else principal components of
    the training images (see `pixel_features`).

    If the data are drawn anew as bits (`Split.random`), give one draw of the training images
    (`still`), and bits of generated images.

    Raises:
        DataError: as `pixel_features`.
    """
    if _classes(data.train) < 2 or _classes(data.test) < 1:
        return pixel_features(still(data.train).x)
    classifier = trained_classifier(data)
    images = "images" if len(data.shape) > 1 else "examples"
    name = (
        f"features of a classifier trained on the training {images}, "
        f"{100 * classifier.accuracy:.2f} % accurate on the test {images}"
    )
    return Features(name, classifier.features, classifier.predict_proba)


def pixel_features(train_images: Tensor) -> Features:
    """The first 64 principal components of images [N, *X], or fewer of small images.

    Euclidean distances approximate distances of the pixels, in [0, 1]. Fitted to 10,000 of the
    images (fewer if they are large), drawn by a fixed seed.

    Raises:
        DataError: fewer than two images, or integers other than uint8; when images are projected,
            also another shape.
    """
    if len(train_images) < 2:
        raise DataError(
            "Principal components need two training images or more, and there are "
            f"{len(train_images)}"
        )
    shape = tuple(train_images.shape[1:])
    numbers = max(1, math.prod(shape))
    n = max(2, min(MAX_FITTED, MAX_NUMBERS // numbers, len(train_images)))
    rows = np.random.default_rng(0).permutation(len(train_images))[:n]
    x = as_images(train_images[torch.from_numpy(rows)]).flatten(1).float().cpu().numpy()
    count = min(COMPONENTS, n - 1, numbers)
    pca = PCA(count, svd_solver="randomized", random_state=0)
    with np.errstate(invalid="ignore"):  # for identical images, shares are 0 / 0
        pca.fit(x)
    mean, axes = torch.from_numpy(pca.mean_).float(), torch.from_numpy(pca.components_.T).float()

    def project(images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != shape:
            raise DataError(
                f"These features need examples of shape {shape_words(shape)}, and these are "
                f"{shape_words(images.shape[1:])}"
            )
        centre, directions = mean.to(images.device), axes.to(images.device)
        return torch.cat(
            [
                (as_images(x).flatten(1).float() - centre) @ directions
                for x in split(images.detach(), BATCH_SIZE)
            ]
        )

    images = "images" if len(shape) > 1 else "examples"
    return Features(f"the first {count} principal components of the training {images}", project)


def _classes(part: Split) -> int:
    """The number of classes with a labelled example in the part."""
    return 0 if part.y is None else len(set(part.y[part.y >= 0].tolist()))


@dataclass(frozen=True)
class ReferenceData:
    """The training and test examples in the features that images are compared in."""

    data: Data

    @cached_property
    def train(self) -> Split:
        """The training part; of pixels that are drawn at random, one draw."""
        return still(self.data.train)

    @cached_property
    def features(self) -> Features:
        """The features that images are compared in."""
        return features_of(self.data)

    @cached_property
    def train_features(self) -> Tensor:
        """Features of the training examples, [N, F]."""
        return self.features.of(self.train.x)

    @cached_property
    def test_features(self) -> Tensor:
        """Features of the test examples, [N, F]."""
        return self.features.of(self.data.test.x)

    @cached_property
    def test_distances(self) -> Tensor:
        """Distance of each test example to the nearest training example in features, [N]."""
        return nearest_distances(self.test_features, self.train_features)

    @cached_property
    def test_probabilities(self) -> Tensor | None:
        """Probability of each class for the test examples, [N, K]; None without a classifier."""
        return self.features.probabilities(self.data.test.x)


_last: dict[str, ReferenceData] = {}


def reference_data(data: Data) -> ReferenceData:
    """The features of the data; those of the last data stay in memory for the next model."""
    if not data.fingerprint:
        return ReferenceData(data)
    if data.fingerprint not in _last:
        _last.clear()
        _last[data.fingerprint] = ReferenceData(data)
    return _last[data.fingerprint]
