"""A trained model and its data, with what several measures need: codes, generated images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

from autoencode.data import Data, Split
from autoencode.data.principal import mean_example
from autoencode.evaluation.features import ReferenceData, reference_data
from autoencode.evaluation.likelihood import Precision
from autoencode.evaluation.metrics.generation import nearest_distances
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record
from autoencode.explore import uniform_like
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.inference import BATCH_SIZE, decode, embed, in_batches, seeded
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe

# More generated images change the metrics of generation by little.
MAX_GENERATED = 10_000
# Generated images in memory at once.
CHUNK = 1_000
SEED = 0

Found = TypeVar("Found")


@dataclass(frozen=True)
class GeneratedImages:
    """Random codes and the images that they decode to, in features.

    features: [N, F].
    probabilities: of each class, [N, K]; None without a classifier.
    distances: to the nearest training example in features, [N].
    labels: the class that a conditional model was given, [N]; else None.
    source: where the codes come from, a phrase.
    """

    features: Tensor
    probabilities: Tensor | None
    distances: Tensor
    labels: Tensor | None
    source: str


@dataclass(frozen=True)
class EvaluationContext:
    """A trained model and the data that it is measured on; codes are flat here, [N, d].

    batch_size: examples in one batch.
    samples, images: importance samples of ln p(x), and the number of test images for it.
    precision: of the decoder's products for it, see `log_likelihood`.
    """

    model: Model
    data: Data
    batch_size: int = BATCH_SIZE
    samples: int = 1_000
    images: int = 1_000
    precision: Precision = "float32"

    @property
    def recipe(self) -> Recipe:
        """The recipe of the model."""
        return self.model.recipe

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    @cached_property
    def reference(self) -> ReferenceData:
        """Features of the data themselves."""
        return reference_data(self.data)

    @property
    def latent(self) -> int:
        """The number of latent dimensions."""
        return self.model.sizes.latent

    @property
    def has_train(self) -> bool:
        """Whether there is a training part, which new data for a trained model lack."""
        return len(self.data.train) > 0

    @property
    def test(self) -> Split:
        """The test part."""
        return self.data.test

    @cached_property
    def mean_example(self) -> Tensor | None:
        """The mean of the training examples without missing values, [*X], float64, on the CPU.

        None without a training part.
        """
        return mean_example(self.data.train.x, self.batch_size) if self.has_train else None

    @cached_property
    def labels(self) -> tuple[Tensor, Tensor] | None:
        """Labels of the training examples, −1 where unknown, and of the test examples.

        None unless every test example and at least one training example has a label.
        """
        train, test = self.data.train.y, self.data.test.y
        if train is None or test is None or bool((test < 0).any()) or bool((train < 0).all()):
            return None
        return train, test

    @cached_property
    def context(self) -> Tensor | None:
        """The labels or vectors of the test examples that condition the model."""
        return conditioning(self.recipe, self.test)

    @cached_property
    def codes(self) -> Tensor:
        """Codes of the test examples, the mean of a posterior."""
        return self._embedded(self.test)

    @cached_property
    def train_codes(self) -> Tensor:
        """Codes of the training examples."""
        return self._embedded(self.reference.train)

    def labelled_codes(self, most: int | None = None) -> tuple[Tensor, Tensor]:
        """Codes and labels of the first `most` training examples with a label."""
        assert self.labels is not None
        rows = (self.labels[0] >= 0).nonzero().flatten()[:most]
        return self.train_codes[rows], self.labels[0][rows]

    @cached_property
    def predicted(self) -> Tensor | None:
        """The class that the model predicts for each test example, [N]; None if it learns none."""
        model = self.model
        if not isinstance(model, LabelModel):
            return None
        return torch.cat(self.in_batches(lambda x, _: model.predict(x).cpu(), "predicting"))

    @cached_property
    def generated(self) -> GeneratedImages:
        """Images of random codes, as `generate` draws them, as many as there are test examples.

        Of a model that has no distribution to draw from: of the box that its training codes fill.
        """
        codes, source = self.random_codes(min(len(self.test), MAX_GENERATED))
        return self.generated_in_box if codes is None else self._generated(codes, source)

    @cached_property
    def generated_in_box(self) -> GeneratedImages:
        """Images of codes drawn uniformly from the box that the training codes fill."""
        codes = self.box_codes(min(len(self.test), MAX_GENERATED))
        return self._generated(codes, "the box that the training codes fill")

    def random_codes(self, n: int) -> tuple[Tensor | None, str]:
        """Codes [n, d] and where they come from; None if there is nothing to draw from."""
        with torch.no_grad(), seeded(SEED, self.device):
            distribution = self.model.sampler()
            if distribution is None:
                return None, ""
            codes = distribution.sample(torch.Size((n,))).flatten(1).float().cpu()
        fitted = self.recipe.sampler
        return codes, f"the fitted sampler, {fitted.kind}" if fitted else "the prior"

    def box_codes(self, n: int) -> Tensor:
        """Codes drawn uniformly from the box that the training codes fill, [n, d]."""
        return uniform_like(self.train_codes, n, torch.Generator().manual_seed(SEED))

    def context_of_random(self, n: int) -> Tensor | None:
        """What conditions a model for n random codes: the classes or test vectors in turn."""
        if self.recipe.context is None:
            return None
        if self.context is None or self.context.dim() == 1:
            return torch.arange(n) % len(self.data.classes)
        return self.context[torch.arange(n) % len(self.context)]

    def in_batches(
        self, measure: Callable[[Tensor, Tensor | None], Found], what: str
    ) -> list[Found]:
        """The result of `measure` for each batch of test examples, see `inference.in_batches`."""
        return in_batches(self.model, self.test.x, measure, what, self.batch_size, self.context)

    def evenly_spread(self, most: int) -> slice:
        """About `most` test examples, evenly spread: parts of a test set may be harder."""
        return slice(None, None, max(1, len(self.test) // most))

    def mean(
        self, name: str, values: Tensor, unit: str, note: str, rows: slice | Tensor = slice(None)
    ) -> Record:
        """A record of the mean of values [n], one for each test example in `rows`."""
        each = values.double().cpu()
        per_example = torch.full((len(self.test),), torch.nan)
        per_example[rows] = each.float()
        value, n = each.mean().item(), len(each)
        interval = bootstrap(each) if n > 1 else None
        return Record(name, value, unit, n, note, interval, per_example)

    def _embedded(self, part: Split) -> Tensor:
        context = conditioning(self.recipe, part)
        return embed(self.model, part.x, context, self.batch_size).flatten(1).float().cpu()

    def _generated(self, codes: Tensor, source: str) -> GeneratedImages:
        context = self.context_of_random(len(codes))
        generator, reference = torch.Generator().manual_seed(SEED), self.reference
        chunks, probabilities = [], []
        for start in range(0, len(codes), CHUNK):
            part = slice(start, start + CHUNK)
            images = decode(self.model, codes[part], None if context is None else context[part])
            images = images.clamp(0, 1)
            if self.data.options.get("binarise"):  # the data are bits too
                images = torch.bernoulli(images, generator=generator)
            chunks.append(reference.features.of(images))
            if (found := reference.features.probabilities(images)) is not None:
                probabilities.append(found)
        features = torch.cat(chunks)
        return GeneratedImages(
            features,
            torch.cat(probabilities) if probabilities else None,
            nearest_distances(features, reference.train_features),
            context if context is not None and context.dim() == 1 else None,
            source,
        )
