"""Features: the numbers in which real and generated images are compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.decomposition import PCA  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.data import Data, Split, scaled, still
from autoencode.errors import DataError, Diverged
from autoencode.evaluation.classifier import trained_classifier
from autoencode.models.assemble import shape_words
from autoencode.models.inference import BATCH_SIZE, split

COMPONENTS = 64
# Training images that the components are fitted to, and the numbers in all of them: 256 MB.
MOST_FITTED = 10_000
MOST_NUMBERS = 2**26


@dataclass(frozen=True)
class Features:
    """Where images are compared: near means alike there.

    name: a phrase for notes.
    of: images [N, *X] (uint8, or float in [0, 1]) to features [N, F], float32, on their device.
    judge: images to the probability of each class, where a classifier can tell.

    Figures compare only within the same features.
    """

    name: str
    of: Callable[[Tensor], Tensor]
    judge: Callable[[Tensor], Tensor] | None = None

    def proba(self, images: Tensor) -> Tensor | None:
        """The probability of each class, [N, K]; None where no classifier judges."""
        return None if self.judge is None else self.judge(images)


def features_of(data: Data, progress: bool | None = None) -> Features:
    """The features that images of this kind are compared in; the same data give the same.

    Those of a classifier (see `trained_classifier`, which may have to train for a minute), where
    training and test examples have labels and the former are of two classes or more; else
    principal components of the training images (see `pixel_features`).

    Compare like with like: with data that are drawn anew as bits (`Split.random`), one draw of the
    training images (`still`), and bits of generated ones.

    progress: False draws no bar of a classifier's training, else a terminal shows one.

    Raises:
        DataError: as `pixel_features`.
    """
    if _classes(data.train) < 2 or _classes(data.test) < 1:
        return pixel_features(still(data.train).x)
    judge = trained_classifier(data, progress=progress)
    images = "images" if len(data.shape) > 1 else "examples"
    name = (
        f"features of a classifier trained on the training {images}, "
        f"{100 * judge.accuracy:.2f} % right on the test {images}"
    )
    return Features(name, judge.features, judge.proba)


def pixel_features(train_images: Tensor) -> Features:
    """The first 64 principal components, or as many as there are, of images [N, *X].

    Euclidean distances are those of the pixels, in [0, 1], without what varies least. Fitted to
    10,000 of the images (fewer where they are large), drawn by a fixed seed.

    Raises:
        DataError: fewer than two images, or integers other than uint8; when images are projected,
            also another shape.
    """
    if len(train_images) < 2:
        raise DataError(
            "Principal components are those of two training images or more, and there are "
            f"{len(train_images)}"
        )
    shape = tuple(train_images.shape[1:])
    numbers = max(1, math.prod(shape))
    n = max(2, min(MOST_FITTED, MOST_NUMBERS // numbers, len(train_images)))
    rows = np.random.default_rng(0).permutation(len(train_images))[:n]
    x = _flat(train_images[torch.from_numpy(rows)]).cpu().numpy()
    count = min(COMPONENTS, n - 1, numbers)
    pca = PCA(count, svd_solver="randomized", random_state=0)
    with np.errstate(invalid="ignore"):  # of images that are all the same, shares are 0 / 0
        pca.fit(x)
    mean, axes = torch.from_numpy(pca.mean_).float(), torch.from_numpy(pca.components_.T).float()

    def project(images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != shape:
            raise DataError(
                f"These features are of examples of shape {shape_words(shape)}, and these are "
                f"{shape_words(images.shape[1:])}"
            )
        centre, directions = mean.to(images.device), axes.to(images.device)
        return torch.cat([(_flat(x) - centre) @ directions for x in split(images, BATCH_SIZE)])

    images = "images" if len(shape) > 1 else "examples"
    return Features(f"the first {count} principal components of the training {images}", project)


def checked(*sets: Tensor, least: int = 1) -> list[Tensor]:
    """Sets of features [N, F] on the processor, in float64, if they can be compared.

    least: how many each of them must have.

    Raises:
        DataError: no matrices of as many features, or too few of them.
        Diverged: features that are not finite.
    """
    if any(s.dim() != 2 or s.shape[1] != sets[0].shape[-1] or len(s) < least for s in sets):
        examples = "an example" if least == 1 else f"{least:,} examples"
        raise DataError(
            f"Sets of features are compared, each (N, F) with {examples} or more, and these are "
            + " and ".join(str(tuple(s.shape)) for s in sets)
        )
    if not all(s.isfinite().all() for s in sets):
        raise Diverged(
            "Some features are not finite numbers",
            "The images are of no use: train their model again, with a smaller lr.",
        )
    return [s.detach().cpu().double() for s in sets]


def _flat(images: Tensor) -> Tensor:
    """Images as vectors [N, D], float32.

    Raises:
        DataError: integers other than uint8.
    """
    if images.dtype == torch.uint8:
        return scaled(images).flatten(1)
    if not images.is_floating_point():
        raise DataError(
            f"Images must be uint8 (0 to 255) or floats in [0, 1], and these are {images.dtype}"
        )
    return images.detach().float().flatten(1)


def _classes(part: Split) -> int:
    """Of how many classes the part has labelled examples."""
    return 0 if part.y is None else len(set(part.y[part.y >= 0].tolist()))
