"""`AutoencoderDetector`: rows that a trained autoencoder does not reconstruct well."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Self

import numpy as np
from sklearn.base import OutlierMixin
from torch import Tensor

from autoencode.arguments import Within, check_value
from autoencode.errors import RecipeError
from autoencode.models.build import Model
from autoencode.models.recipe import Recipe
from autoencode.sklearn.base import AutoencoderEstimator
from autoencode.sklearn.messages import value_errors
from autoencode.sklearn.stored import by_batch
from autoencode.sklearn.values import finite, plain
from autoencode.use.scores import (
    MAX_CODES,
    NEEDS_CODES,
    SAMPLES,
    CodeScores,
    Method,
    fitted_to,
    likelihoods,
    reconstruction_errors,
)

_Contamination = Annotated[float, Within(1e-9, 0.5)]


class AutoencoderDetector(OutlierMixin, AutoencoderEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An autoencoder that finds anomalies: rows that it does not reconstruct well.

    score_method: the score of a row, as of `autoencode.score`: "reconstruction" (its squared error
        in scaled units), "elbo" (−ELBO), "likelihood" (−log p(x) by importance sampling), "density"
        (of its code under a mixture of normal distributions that is fitted to the training codes)
        or "neighbours" (distance from its code to the fifth nearest training code).
    contamination: the share of the training rows that are anomalies, above 0 and up to 0.5.

    The other parameters are those of `AutoencoderTransformer`.

    The signs. scikit-learn and PyOD have opposite conventions, and each name here has the one of
    its library:

    - scikit-learn: `score_samples` and `decision_function` are lower for anomalies;
      `decision_function` is negative for them, and `predict` gives −1 for an anomaly, 1 for
      another row. `offset_` is the score at the limit.
    - PyOD: `decision_scores_` (of the training rows) are higher for anomalies, `threshold_` is
      their limit, `labels_` are 1 for an anomaly and 0 for another row, and `predict_proba` gives
      the columns normal and anomaly. `decision_scores_` are −`score_samples` of the training rows.

    The scores of the training rows, of which the limit is taken, are lower than those of new rows
    that are alike: the model has seen them.

    >>> rows = np.random.default_rng(0).normal(size=(200, 4))
    >>> rows[0] = 20
    >>> detector = AutoencoderDetector("ae", latent=1, steps=50, random_state=0).fit(rows)
    >>> int(detector.predict(rows)[0]), int(detector.decision_scores_.argmax())
    (-1, 0)
    """

    def __init__(
        self,
        recipe: str | Recipe = "vae",
        latent: int | None = None,
        *,
        score_method: Method = "reconstruction",
        contamination: float = 0.1,
        steps: int | None = 1000,
        lr: float | None = None,
        batch_size: int | None = None,
        overrides: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        scale: str | None = None,
        image_shape: tuple[int, ...] | None = None,
        value_range: Any = None,
        missing: bool = False,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.latent = latent
        self.score_method = score_method
        self.contamination = contamination
        self.steps = steps
        self.lr = lr
        self.batch_size = batch_size
        self.overrides = overrides
        self.training = training
        self.scale = scale
        self.image_shape = image_shape
        self.value_range = value_range
        self.missing = missing
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder on rows X [N, D], and set the limit of the scores.

        y: class labels [N] for conditional and semi-supervised recipes, −1 where unknown; other
            recipes do not use them.

        Raises:
            EstimatorError: a ValueError: parameters or data are not usable, or training diverged.
            ResourceError: memory ran out.
        """
        with value_errors():
            check_value(self.score_method, Method, "score_method")
            check_value(plain(self.contamination), _Contamination, "contamination")
        self._train(X, y)
        self.code_scores_ = None
        if self.score_method in NEEDS_CODES:
            model, x, context, _ = self._inputs(X, y)
            with value_errors():
                some = np.random.default_rng(0).permutation(len(x))[:MAX_CODES]
                codes = self._codes(model, x, context)[np.sort(some)]
                self.code_scores_ = (self.score_method, *fitted_to(codes, self.score_method))
        scores = self._scores(X, y)
        self.decision_scores_ = scores
        self.offset_ = float(np.percentile(-scores, 100.0 * float(self.contamination)))
        self.threshold_ = -self.offset_
        self.labels_ = (scores > self.threshold_).astype(int)
        return self

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """The negative scores of rows X [N, D]: [N], float64; lower is more anomalous.

        y: labels, which conditional recipes need.
        """
        return -self._scores(X, y)

    def decision_function(self, X: Any, y: Any = None) -> np.ndarray:
        """`score_samples` minus `offset_`: [N]; negative for anomalies, as in scikit-learn.

        PyOD's `decision_function` has the opposite sign.
        """
        return self.score_samples(X, y) - self.offset_

    def predict(self, X: Any, y: Any = None) -> np.ndarray:
        """−1 for anomalies, 1 for other rows: [N]; PyOD has 1 and 0."""
        return np.where(self.decision_function(X, y) < 0, -1, 1)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Train on rows, and return −1 for the anomalies among them, 1 for other rows."""
        return np.where(self.fit(X, y).labels_ == 1, -1, 1)

    def predict_proba(self, X: Any, y: Any = None) -> np.ndarray:
        """The columns normal and anomaly: [N, 2], as PyOD's method "linear".

        The anomaly is the score, scaled so that the lowest of the training rows is 0 and the
        highest is 1, and clipped. It is no probability in a strict sense.
        """
        scores = -self.score_samples(X, y)
        low, high = self.decision_scores_.min(), self.decision_scores_.max()
        share = ((scores - low) / (high - low or 1.0)).clip(0, 1)
        return np.stack([1 - share, share], 1)

    def _scores(self, X: Any, y: Any) -> np.ndarray:
        """The scores of rows, float64, [N]; higher is more anomalous."""
        model, x, context, _ = self._inputs(X, y)
        with value_errors():
            check_value(self.score_method, Method, "score_method")
            if self.score_method == "reconstruction":
                found = by_batch(model, x, context, partial(reconstruction_errors, model))
            elif self.score_method in NEEDS_CODES:
                scorer = self._code_scores()
                found = scorer(self._codes(model, x, context))
            else:
                # Importance sampling is not exact, so it needs no float64.
                single = self.to_model()
                found = likelihoods(single, x, context, self.score_method, SAMPLES, seed=0)
            return finite(found, "scores", np.dtype(np.float64))

    def _codes(self, model: Model, x: Tensor, context: Tensor | None) -> np.ndarray:
        codes: np.ndarray = by_batch(
            model, x, context, lambda b, c: model.encode(b, c).z.flatten(1)
        )
        return codes

    def _code_scores(self) -> CodeScores:
        """What was fitted to the training codes; its parts are arrays and scikit-learn's objects.

        Raises:
            RecipeError: another score was fitted.
        """
        fitted = getattr(self, "code_scores_", None)
        if fitted is None or fitted[0] != self.score_method:
            raise RecipeError(
                f"The score {self.score_method} compares codes with training codes, and fit had "
                "another score_method",
                "Call fit again.",
            )
        return CodeScores(*fitted[1:])
