"""Anomaly scores of examples under a trained model: higher is more anomalous."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import Count, Seed, check_value
from autoencode.data import Data, Split
from autoencode.errors import DataError, RecipeError
from autoencode.evaluation.likelihood import has_likelihood, likelihood_bounds
from autoencode.evaluation.metrics.quality import squared_error
from autoencode.models.conditions import conditioning
from autoencode.models.foreign import as_autoencoder
from autoencode.use.chunks import joined, measured

Method = Literal["reconstruction", "elbo", "likelihood", "density", "neighbours"]
METHODS: tuple[Method, ...] = get_args(Method)
# What each score is, in a few words.
MEANING = {
    "reconstruction": "squared error of the reconstruction, summed over the values",
    "elbo": "−ELBO, in nats",
    "likelihood": "−log p(x) by importance sampling, in nats",
    "density": "−log density of the code under a mixture of 10 normal distributions, in nats",
    "neighbours": "distance from the code to the fifth nearest training code",
}
SAMPLES = 100  # of each example, for −ELBO and the likelihood
NEIGHBOURS, COMPONENTS = 5, 10
# Training codes that a density is fitted to, or among which neighbours are searched.
MAX_CODES = 20_000
_NEEDS_CODES = ("density", "neighbours")


class Scorer:
    """Scores examples by one method; of the methods on codes it is fitted to training codes.

    method: see `MEANING`.
    training: the training examples, which the methods on codes need.
    samples: importance samples of each example, for "elbo" and "likelihood".

    Raises:
        DataError: training examples are needed.
        RecipeError: there is no such method, or the model has no likelihood.
    """

    def __init__(
        self,
        model: Any,
        method: Method = "reconstruction",
        training: Split | None = None,
        samples: int = SAMPLES,
        seed: int = 0,
    ) -> None:
        check_value(method, Method, "method")
        check_value(samples, Count, "samples")
        check_value(seed, Seed, "seed")
        self.model, self.method, self.samples, self.seed = model, method, samples, seed
        self._fitted: Any = None
        if method in _NEEDS_CODES:
            if training is None or not len(training):
                raise DataError(
                    f"The score {method} compares codes with those of the training examples",
                    "Give the training data (training=data.train), or choose another score.",
                )
            self._fit(training)

    def __call__(self, part: Split) -> np.ndarray:
        """The scores of the examples of a part, float64, [N].

        Raises:
            RecipeError: the model has no posterior or no prior, which the likelihood needs.
        """
        if self.method == "reconstruction":
            return _joined(measured(self.model, part, self._error))
        if self.method in ("elbo", "likelihood"):
            if why := self.model.unmeasured.get("likelihood"):
                raise RecipeError(
                    f"The score {self.method} cannot be computed: {why}",
                    'Choose method="reconstruction".',
                )
            context = conditioning(self.model.recipe, part)
            if not has_likelihood(self.model, part.x, context):
                raise RecipeError(
                    f"The score {self.method} needs a model with a posterior and a prior",
                    "Choose --score reconstruction, or train a variational model, such as vae.",
                )
            found = likelihood_bounds(
                self.model, part.x, context, samples=self.samples, seed=self.seed
            )
            bound = found.elbo if self.method == "elbo" else found.log_likelihood
            return -bound.double().cpu().numpy()
        codes = self._codes(part)
        if self.method == "density":
            density: np.ndarray = -self._fitted.score_samples(codes)
            return density
        distances: np.ndarray = self._fitted.kneighbors(codes)[0][:, -1]
        return distances

    def _error(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Squared errors [B]; missing values have none."""
        y = self.model.forward(x, context).images.reshape(x.shape)
        return squared_error(x, y).double()

    def _codes(self, part: Split) -> np.ndarray:
        """Codes in units of the training codes' deviations: float64, [N, d]."""
        codes = joined(
            measured(self.model, part, lambda x, c: self.model.encode(x, c).z.flatten(1))
        )
        z: np.ndarray = codes.double().numpy()
        return (z - self._mean) / self._deviation

    def _fit(self, training: Split) -> None:
        self._mean, self._deviation = np.zeros(1), np.ones(1)
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(self.seed))
        some = order[:MAX_CODES].sort().values
        context = None if training.context is None else training.context[some]
        y = None if training.y is None else training.y[some]
        codes = self._codes(Split(training.x[some], y, context, random=training.random))
        self._mean, self._deviation = codes.mean(0), codes.std(0) + 1e-12
        codes = (codes - self._mean) / self._deviation
        if self.method == "density":
            from sklearn.mixture import GaussianMixture

            n = max(1, min(COMPONENTS, len(codes) // 20))
            self._fitted = GaussianMixture(n, reg_covar=1e-3, random_state=self.seed % 2**32)
            self._fitted.fit(codes)
            return
        from sklearn.neighbors import NearestNeighbors

        self._fitted = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(codes))).fit(codes)


def _joined(parts: list[Tensor]) -> np.ndarray:
    scores: np.ndarray = torch.cat([part.cpu() for part in parts]).numpy()
    return scores


def score(
    model: Any,
    data: Any,
    method: Method = "reconstruction",
    training: Any = None,
    samples: int = SAMPLES,
    seed: int = 0,
    **options: Any,
) -> Tensor:
    """Anomaly scores of examples: float64, [N]; higher is more anomalous.

    data, options: as of `load_data`; or loaded data, of which the test part is used, or a part.
    method: "reconstruction" (squared error), "elbo" (−ELBO), "likelihood" (−log p(x) by importance
        sampling), "density" (of the code under a mixture of normal distributions) or "neighbours"
        (distance from the code to the fifth nearest training code).
    training: for the last two, the training examples: loaded data or a part of them.
    samples, seed: of importance sampling.

    Raises:
        DataError: the data do not fit the model, or training examples are needed.
        RecipeError: there is no such method, or the model has no likelihood.
    """
    from autoencode.use.chunks import Chunks

    model = as_autoencoder(model, data, **options)
    part = training.train if isinstance(training, Data) else training
    scorer = Scorer(model, method, part, samples, seed)
    chunks = Chunks(model, data, **options)
    found = [torch.from_numpy(scorer(chunk.test)) for chunk in chunks.each("scoring")]
    return torch.cat(found)
