"""Anomaly scores of examples under a trained model: higher is more anomalous."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

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
NEEDS_CODES = ("density", "neighbours")


class Scorer:
    """Scores examples by one method; of the methods on codes it is fitted to training codes.

    method: see `MEANING`.
    training: the training examples, which the methods on codes need.
    samples: importance samples of each example, for "elbo" and "likelihood".
    fitted: instead of training examples, what a scorer was fitted to.

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
        fitted: CodeScores | None = None,
    ) -> None:
        check_value(method, Method, "method")
        check_value(samples, Count, "samples")
        check_value(seed, Seed, "seed")
        self.model, self.method, self.samples, self.seed = model, method, samples, seed
        self.fitted = fitted
        if method in NEEDS_CODES and fitted is None:
            if training is None or not len(training):
                raise DataError(
                    f"The score {method} compares codes with those of the training examples",
                    "Give the training data (training=data.train), or choose another score.",
                )
            self._fit(training)

    def __call__(self, part: Split) -> np.ndarray:
        """The scores of the examples of a part, float64, [N].

        Raises:
            RecipeError: as `likelihoods`.
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
            return likelihoods(self.model, part.x, context, self.method, self.samples, self.seed)
        assert self.fitted is not None  # to the training codes
        return self.fitted(self._codes(part))

    def _error(self, x: Tensor, context: Tensor | None) -> Tensor:
        return reconstruction_errors(self.model, x, context)

    def _codes(self, part: Split) -> np.ndarray:
        found = measured(self.model, part, lambda x, c: self.model.encode(x, c).z.flatten(1))
        z: np.ndarray = joined(found).double().numpy()
        return z

    def _fit(self, training: Split) -> None:
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(self.seed))
        some = order[:MAX_CODES].sort().values
        context = None if training.context is None else training.context[some]
        y = None if training.y is None else training.y[some]
        codes = self._codes(Split(training.x[some], y, context, random=training.random))
        self.fitted = fitted_to(codes, self.method, self.seed)


class CodeScores(NamedTuple):
    """Scores of codes [N, d] by their place among training codes.

    mean, deviation: of the training codes, [d], in whose units codes are compared.
    fitted: a mixture of normal distributions, or a search for neighbours, of scikit-learn.
    """

    mean: np.ndarray
    deviation: np.ndarray
    fitted: Any

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """−log density of the codes, or the distances to their neighbours, float64, [N]."""
        scaled = (codes - self.mean) / self.deviation
        if hasattr(self.fitted, "kneighbors"):
            distances: np.ndarray = self.fitted.kneighbors(scaled)[0][:, -1]
            return distances
        density: np.ndarray = -self.fitted.score_samples(scaled)
        return density


def fitted_to(codes: np.ndarray, method: Method, seed: int = 0) -> CodeScores:
    """The method "density" or "neighbours", fitted to training codes [N, d], float64."""
    mean, deviation = codes.mean(0), codes.std(0) + 1e-12
    scaled = (codes - mean) / deviation
    if method == "density":
        from sklearn.mixture import GaussianMixture

        n = max(1, min(COMPONENTS, len(codes) // 20))
        mixture = GaussianMixture(n, reg_covar=1e-3, random_state=seed % 2**32)
        return CodeScores(mean, deviation, mixture.fit(scaled))
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(codes)))
    return CodeScores(mean, deviation, search.fit(scaled))


def reconstruction_errors(model: Any, x: Tensor, context: Tensor | None) -> Tensor:
    """Squared errors of the reconstructions, summed over the values, float64: [B, *X] to [B].

    Of an example with missing values, the mean over the others counts for these.
    """
    y = model.forward(x, context).images.reshape(x.shape)
    known = (~x.isnan()).flatten(1).double().mean(1)
    return squared_error(x, y).double() / known.clamp(min=1e-12)


def likelihoods(
    model: Any, x: Tensor, context: Tensor | None, method: Method, samples: int, seed: int
) -> np.ndarray:
    """−ELBO or −log p(x) of examples by importance sampling, float64: [N, *X] to [N].

    Raises:
        RecipeError: the model has no posterior or no prior.
    """
    if not has_likelihood(model, x, context):
        raise RecipeError(
            f"The score {method} needs a model with a posterior and a prior",
            "Choose --score reconstruction, or train a variational model, such as vae.",
        )
    found = likelihood_bounds(model, x, context, samples=samples, seed=seed)
    bound = found.elbo if method == "elbo" else found.log_likelihood
    return -bound.double().cpu().numpy()


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

    model: a trained model, or any `nn.Module` with an encoder and a decoder.
    data, options: as of `load_data`; or loaded data, of which the test part is used, or a part.
    method: "reconstruction" (squared error), "elbo" (−ELBO), "likelihood" (−log p(x) by importance
        sampling), "density" (of the code under a mixture of normal distributions) or "neighbours"
        (distance from the code to the fifth nearest training code).
    training: for the last two, the training examples: loaded data or a part of them.
    samples, seed: of importance sampling.

    Raises:
        DataError: the data do not fit the model, or training examples are needed.
        RecipeError: there is no such method, or the model has no likelihood.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("ae", data, latent=2, steps=10).model
    >>> ae.score(model, data).shape
    torch.Size([359])
    """
    from autoencode.use.chunks import Chunks

    model = as_autoencoder(model, data, **options)
    part = training.train if isinstance(training, Data) else training
    scorer = Scorer(model, method, part, samples, seed)
    chunks = Chunks(model, data, **options)
    found = [torch.from_numpy(scorer(chunk.test)) for chunk in chunks.each("scoring")]
    return torch.cat(found)
