"""What is measured: a trained model on its data, and what several measures look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from autoencode.data import Data, Split
from autoencode.evaluation.metrics.copying import nearest
from autoencode.evaluation.real import Real, real
from autoencode.explore import uniform_like
from autoencode.models.build import Model, learns_labels
from autoencode.models.conditions import conditioning
from autoencode.models.inference import BATCH_SIZE, decode, embed, in_batches, seeded
from autoencode.models.recipe import Recipe

# More generated images than these change no figure that is taken of them by much.
MOST_DRAWN = 10_000
# Generated images in memory at once.
AT_ONCE = 1_000
SEED = 0


@dataclass(frozen=True)
class Drawn:
    """Random codes and what is seen of the images that they decode to.

    codes: [N, d].  features: [N, F].  proba: of each class, [N, K]; None without a classifier.
    distances: in features to the nearest training example, [N].
    labels: the class that a conditional model was told, [N]; else None.
    how: where the codes come from, a phrase.
    """

    codes: Tensor
    features: Tensor
    proba: Tensor | None
    distances: Tensor
    labels: Tensor | None
    how: str


@dataclass(frozen=True)
class EvaluationContext:
    """A trained model and the data that it is measured on; codes are flat here, [N, d].

    batch_size: examples looked at at once.
    samples, images: importance samples of ln p(x), and how many test images it is taken of.
    """

    model: Model
    data: Data
    batch_size: int = BATCH_SIZE
    samples: int = 1_000
    images: int = 1_000

    @property
    def recipe(self) -> Recipe:
        """What the model was built from."""
        return self.model.recipe

    @cached_property
    def real(self) -> Real:
        """What is seen of the data themselves."""
        return real(self.data)

    @property
    def train(self) -> Split:
        """The training part, as one draw of itself."""
        return self.real.train

    @property
    def test(self) -> Split:
        """The test part."""
        return self.data.test

    @cached_property
    def has_labels(self) -> bool:
        """Whether every test example and some training examples have a class."""
        train, test = self.data.train.y, self.data.test.y
        if train is None or test is None:
            return False
        return bool((train >= 0).any()) and bool((test >= 0).all())

    def told(self, part: Split) -> Tensor | None:
        """What a conditional model is told of a part's examples."""
        return conditioning(self.recipe, part)

    @cached_property
    def codes(self) -> Tensor:
        """Of the test examples, a posterior's mean."""
        return self._embedded(self.test)

    @cached_property
    def train_codes(self) -> Tensor:
        """Of the training examples."""
        return self._embedded(self.train)

    @cached_property
    def predicted(self) -> Tensor | None:
        """The class that the model sees in each test example, [N]; None if it learns none."""
        model = self.model
        if not learns_labels(self.recipe):
            return None
        return torch.cat(
            self.in_batches(lambda x, _: model.predict(x).cpu(), "predicting", told=False)
        )

    @cached_property
    def drawn(self) -> Drawn:
        """Images of random codes, as `generate` draws them, as many as there are test examples.

        Where the model has no distribution to draw from: of the box that its training codes fill.
        """
        codes, how = self.random_codes(min(len(self.test), MOST_DRAWN))
        return self.boxed if codes is None else self._seen(codes, how)

    def random_codes(self, n: int) -> tuple[Tensor | None, str]:
        """Codes [n, d] and where they come from; None where there is nothing to draw from."""
        with torch.no_grad(), seeded(SEED, self.device):
            distribution = self.model.sampler()
            if distribution is None:
                return None, ""
            codes = distribution.sample(torch.Size((n,))).flatten(1).float().cpu()
        fitted = self.recipe.sampler
        return codes, f"the fitted sampler, {fitted.kind}" if fitted else "the prior"

    def context_of_random(self, n: int) -> Tensor | None:
        """What a conditional model is told of n random codes: classes or known vectors in turn."""
        if self.recipe.context is None:
            return None
        source = self.told(self.test)
        if source is None or source.dim() == 1:
            return torch.arange(n) % len(self.data.classes)
        return source[torch.arange(n) % len(source)]

    @cached_property
    def boxed(self) -> Drawn:
        """Images of codes drawn evenly from the box that the training codes fill."""
        codes = self.box_codes(min(len(self.test), MOST_DRAWN))
        return self._seen(codes, "the box that the training codes fill")

    def box_codes(self, n: int) -> Tensor:
        """Codes drawn evenly from the box that the training codes fill, [n, d]."""
        return uniform_like(self.train_codes, n, torch.Generator().manual_seed(SEED))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def in_batches(self, measure: Callable, what: str, told: bool = True) -> list:
        """What `measure` finds in each batch of the test examples, see `passes.in_batches`."""
        context = self.told(self.test) if told else None
        return in_batches(self.model, self.test.x, measure, what, self.batch_size, context)

    def _embedded(self, part: Split) -> Tensor:
        return embed(self.model, part.x, self.told(part), self.batch_size).flatten(1).float().cpu()

    def _seen(self, codes: Tensor, how: str) -> Drawn:
        told = self.context_of_random(len(codes))
        labels = told if told is not None and told.dim() == 1 else None
        features, proba = zip(*self._looks(codes, told), strict=True)
        found = torch.cat(features)
        return Drawn(
            codes,
            found,
            None if proba[0] is None else torch.cat(proba),
            nearest(found, self.real.train_features).distance,
            labels,
            how,
        )

    def _looks(self, codes: Tensor, told: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Features and class probabilities of decoded codes, some at a time."""
        generator = torch.Generator().manual_seed(SEED)
        proba = self.real.features.proba
        for start in range(0, len(codes), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            images = decode(self.model, codes[part], None if told is None else told[part])
            images = images.clamp(0, 1)
            if self.data.options.get("binarise"):
                # The real ones are bits too.
                images = torch.bernoulli(images, generator=generator)
            yield self.real.features.of(images), None if proba is None else proba(images)
