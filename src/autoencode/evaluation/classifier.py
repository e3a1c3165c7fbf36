"""A small classifier of the classes of the data, whose features compare generated images."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.arguments import Count, Seed, check_value
from autoencode.contract import Sizes
from autoencode.data import Data, Split, scaled
from autoencode.data.cache import cache_folder
from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.evaluation.metrics.arrays import as_images
from autoencode.io.files import shown
from autoencode.io.progress import Bar, say
from autoencode.io.store import writing
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.assemble import shape_words
from autoencode.models.inference import in_batches, seeded
from autoencode.models.weights import misfits, not_finite

# Raised when the networks below or their training change, so that cached classifiers are not used.
ARCHITECTURE = 1
FEATURES = 128
BATCH_SIZE = 128
EPOCHS = 5
# Small data sets are trained on for more epochs, up to this number of steps.
MIN_STEPS = 500
LEARNING_RATE = 2e-3
# Largest standard deviation of the pixel noise. Without noise, a faint grey haze makes a classifier
# trained on clean images guess; with twice as much, the features hardly respond to noise at all.
NOISE = 0.1
# Convolutions halve an image until no side is longer, in pixels.
SMALL = 8
CPU = torch.device("cpu")


class Classifier(nn.Module):
    """A network that predicts the class of an example, and the features of its last layer.

    classes: the names of the K classes.
    accuracy: the share of test examples that are predicted correctly.

    A convolutional network for images, fully connected for vectors; `trained_classifier` trains
    it. `features`, `predict_proba` and `predict` take examples [N, *X] (uint8, or float in [0, 1])
    in batches, in evaluation mode and without gradients; results are on the device of the examples.
    They raise a DataError for examples of another shape, or integers other than uint8.
    """

    def __init__(self, shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
        super().__init__()
        self.shape, self.classes, self.accuracy = shape, classes, math.nan
        image = Sizes(shape, ()).image
        self.body = _vector_body(math.prod(shape)) if image is None else _image_body(*image)
        self.head = nn.Linear(FEATURES, len(classes))
        self._network_shape = image or (math.prod(shape),)

    def forward(self, x: Tensor) -> Tensor:
        """Examples [B, *X], floats in [0, 1], to the logits of the classes [B, K]."""
        logits: Tensor = self.head(self._features(x))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The inputs of the last layer: [N, 128], float32, from 0 up."""
        return self._in_batches(images, self._features)

    def predict_proba(self, images: Tensor) -> Tensor:
        """The probability of each class: [N, K], float32."""
        return self._in_batches(images, lambda x: self(x).softmax(1))

    def predict(self, images: Tensor) -> Tensor:
        """The most probable class, its position among `classes`: [N], int64."""
        return self._in_batches(images, lambda x: self(x).argmax(1))

    def _features(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(x.reshape(-1, *self._network_shape))
        return features

    def _in_batches(self, images: Tensor, measure: Callable[[Tensor], Tensor]) -> Tensor:
        if tuple(images.shape[1:]) != self.shape:
            raise DataError(
                f"This classifier takes examples of shape {shape_words(self.shape)}, "
                f"and these are {shape_words(images.shape[1:])}"
            )
        as_images(images[:0])  # checks the type
        module = cast(Any, self)  # `in_batches` only needs a module
        return torch.cat(in_batches(module, images, lambda x, _: measure(x), "classifying")).to(
            images.device
        )


def trained_classifier(data: Data, *, seed: int = 0, steps: int | None = None) -> Classifier:
    """A classifier trained on the labelled examples of `data.train`, measured on `data.test`.

    On the CPU, by cross-entropy, AdamW and a cosine schedule, with small random shifts and some
    noise. It is saved in the cache folder, so that a second call reads it: the same data, seed and
    steps give the same classifier. Torch's random state is left as it was.

    It works well for images like its training examples: train it on data of the same kind (grey
    values, or bits), and check its `accuracy` first.

    steps: updates with 128 examples; None trains five epochs, at least 500 steps.

    Raises:
        DataError: fewer than two classes have labelled training examples, or no test example has
            a label.
        RecipeError: `seed` or `steps` is out of range.
    """
    check_value(seed, Seed, "seed")
    check_value(steps, Count | None, "steps")
    x, y = _labelled(data.train, "training", data)
    test, truth = _labelled(data.test, "test", data)
    if (y == y[0]).all():
        raise DataError(
            "A classifier needs two classes or more, and all labelled training examples of "
            f'"{data.name}" belong to one, "{data.classes[int(y[0])]}"'
        )
    if steps is None:
        steps = max(MIN_STEPS, EPOCHS * (len(x) // BATCH_SIZE))
    identity = {
        "fingerprint": data.fingerprint,
        "seed": seed,
        "steps": steps,
        "architecture": ARCHITECTURE,
    }
    name = "-".join(map(str, identity.values()))
    path = cache_folder() / "classifiers" / f"{name}.safetensors"
    with seeded(seed, CPU):
        classifier = Classifier(data.shape, data.classes)
        if not _load(classifier, path, identity):
            _fit(classifier, x, y, data.train.random, steps)
            classifier.accuracy = (classifier.predict(test) == truth).double().mean().item()
            _save(classifier, path, identity)
    return classifier.requires_grad_(False).eval()


def label_fidelity(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of images that the classifier assigns to the requested class, in [0, 1].

    images: [N, *X], uint8 or float in [0, 1].
    labels: [N], positions among `classifier.classes`.

    Real images reach about `classifier.accuracy`.

    Raises:
        DataError: no images, not one label for each, or labels that are not classes.
    """
    if labels.shape != images.shape[:1] or len(images) == 0:
        raise DataError(
            f"Each image needs one label, and there are {len(images):,} images and labels of shape "
            f"{tuple(labels.shape)}"
        )
    classes = len(classifier.classes)
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"Labels must be positions among the {classes} classes, 0 to {classes - 1}, and these "
            f"go from {labels.min().item()} to {labels.max().item()}"
        )
    return (classifier.predict(images) == labels.to(images.device)).double().mean().item()


def _labelled(split: Split, which: str, data: Data) -> tuple[Tensor, Tensor]:
    """The labelled examples, [N, *X], and their labels, [N].

    Raises:
        DataError: there are none.
    """
    known = split.y >= 0 if split.y is not None else torch.zeros(len(split), dtype=torch.bool)
    if split.y is None or not known.any():
        raise DataError(
            f'A classifier needs labels, and no {which} example of "{data.name}" has one',
            "Give the labels: --labels PATH, or load_data(source, labels=labels).",
        )
    return (split.x, split.y) if known.all() else (split.x[known], split.y[known])


def _fit(classifier: Classifier, x: Tensor, y: Tensor, random: bool, steps: int) -> None:
    """Trains on examples and their classes; `random` as in `Split`."""
    size = min(BATCH_SIZE, len(x))
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    classifier.train()
    with torch.enable_grad(), torch.autocast("cpu", enabled=False), Bar("classifier", steps) as bar:
        for step in range(steps):
            place = step % (len(x) // size)
            if place == 0:
                # The rest, less than a batch, is left out of this epoch.
                order = torch.randperm(len(x))
            rows = order[place * size : (place + 1) * size]
            images = scaled(x[rows])
            images = torch.bernoulli(images) if random else images
            loss = functional.cross_entropy(classifier(_augmented(images)), y[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            bar.update(1)


def _augmented(x: Tensor) -> Tensor:
    """Images [B, (C,) H, W], each shifted by whole pixels and with some noise; vectors unchanged.

    Shifts are up to a fourteenth of the side in each direction; the standard deviation of the noise
    is between 0 and 0.1, different for each image; values are clamped to [0, 1].
    """
    if x.dim() < 3:
        return x
    height, width = x.shape[-2:]
    images = x.reshape(len(x), -1, height, width)
    reach = min(height, width) // 14
    padded = functional.pad(images, [reach] * 4, mode="replicate")
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    down, right = torch.randint(2 * reach + 1, (2, len(x)))
    shifted = windows[torch.arange(len(x)), :, down, right].reshape(x.shape)
    spread = NOISE * torch.rand(len(x), *[1] * (x.dim() - 1))
    return (shifted + spread * torch.randn_like(shifted)).clamp(0, 1)


def _load(classifier: Classifier, path: Path, identity: dict[str, Any]) -> bool:
    """Reads the weights of a cached classifier; False if there is none."""
    if not path.is_file():
        return False
    try:
        tensors, meta = read_tensors(path)
    except RunError:
        tensors, meta = {}, {}
    accuracy, wanted = meta.pop("accuracy", None), classifier.state_dict()
    valid = isinstance(accuracy, float) and 0 <= accuracy <= 1
    fits = not (misfits(wanted, tensors) or not_finite(wanted, tensors))
    if meta != identity or not (valid and fits):
        say(f"{shown(path)} is damaged; training the classifier again")
        return False
    classifier.load_state_dict(tensors)
    classifier.accuracy = accuracy
    return True


def _save(classifier: Classifier, path: Path, identity: dict[str, Any]) -> None:
    try:
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, classifier.state_dict(), {**identity, "accuracy": classifier.accuracy})
    except AutoencodeError as error:
        # The copy only saves time in the next call.
        say(f"the classifier is not cached: {error.what}")


def _image_body(channels: int, height: int, width: int) -> nn.Sequential:
    halvings = max(2, math.ceil(math.log2(max(height, width) / SMALL)))
    widths = [min(16 * 2**i, FEATURES) for i in range(halvings + 1)]
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise([channels, *widths])):
        layers.append(nn.Conv2d(before, after, 3, stride=min(2, i + 1), padding=1, bias=False))
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    left = math.prod(math.ceil(side / 2**halvings) for side in (height, width))
    return nn.Sequential(*layers, nn.Flatten(), *_dense(left * widths[-1], FEATURES))


def _vector_body(numbers: int) -> nn.Sequential:
    return nn.Sequential(*_dense(numbers, 2 * FEATURES), *_dense(2 * FEATURES, FEATURES))


def _dense(before: int, after: int) -> list[nn.Module]:
    return [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
