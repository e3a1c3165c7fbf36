"""`AutoencoderTransformer`: codes of rows, and rows from codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.errors import DataError
from autoencode.explore import uniform_like
from autoencode.models.build import Model, learns_labels
from autoencode.models.conditions import conditioning
from autoencode.models.inference import seeded
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe
from autoencode.sklearn.base import (
    AutoencoderEstimator,
    conditioned,
    preprocessing_of,
)
from autoencode.sklearn.messages import value_errors
from autoencode.sklearn.stored import by_batch, exact_model
from autoencode.sklearn.values import finite, generator_of


def _predicts_labels(estimator: AutoencoderTransformer) -> bool:
    try:
        return learns_labels(estimator._recipe())
    except Exception:  # `fit` says what is wrong with the parameters
        return False


class AutoencoderTransformer(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]  # as above
    AutoencoderEstimator,
):
    """An autoencoder that transforms rows to codes, and codes back to rows.

    recipe: a model of the table by name, such as "ae" or "vae", or a `Recipe`.
    latent: number of latent dimensions, the columns of the codes; None for that of the recipe.
    steps: largest number of updates of the weights; None for that of the recipe. For rows, training
        stops earlier if the loss of the held-out rows does not fall.
    lr, batch_size: learning rate and examples per update; None for those of the recipe.
    overrides: parts of the recipe by dotted name: {"network.hidden": [64], "terms.kl.weight": 4}.
    training: other training settings, such as {"weight_decay": 0.01, "device": "cpu"}; see
        `autoencode.train.Settings`.
    scale: scaling of each column: "standard" (None for rows), "robust", "minmax", or "none" for
        values in [0, 1] or in `value_range`.
    image_shape: (height, width) or (channels, height, width), where rows are flat images.
    value_range: lowest and highest value of images, or "auto" for percentiles of the training rows;
        None for 0 to 255 (uint8) or 0 to 1 (floats).
    missing: whether NaN are missing values, which the loss leaves out. Else they are refused.
    validation_fraction: share of the rows that is held out to measure the training.
    random_state: seed of the weights, the batches and the held-out rows: an integer, a
        `RandomState`, or None for a new seed in each fit. The global random state of NumPy and of
        torch is neither used nor changed.
    verbose: print a progress bar and what is done to the data.

    Attributes after `fit`: `model_bytes_`, the trained model as bytes of a safetensors file;
    `n_iter_`, the number of updates; `notices_`, sentences on the data and the training;
    `classes_` and `n_unlabelled_`, for recipes that use labels; `n_features_in_` and
    `feature_names_in_`.

    Codes are deterministic, the mean of the posterior, and computed in float64 on the CPU. Results
    are float32 for float32 and smaller types, else float64.

    >>> from sklearn.datasets import load_iris
    >>> rows = load_iris().data
    >>> codes = AutoencoderTransformer("ae", latent=2, steps=20, random_state=0).fit_transform(rows)
    >>> codes.shape
    (150, 2)
    """

    def __init__(
        self,
        recipe: str | Recipe = "vae",
        latent: int | None = None,
        *,
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
        """Train the autoencoder on rows X [N, D].

        y: labels [N] for conditional and semi-supervised recipes, −1 where the class is unknown;
            other recipes do not use them.

        Raises:
            EstimatorError: a ValueError: parameters or data are not usable, or training diverged.
            ResourceError: memory ran out.
        """
        model, data = self._train(X, y)
        with value_errors():
            x, context = data.train.x, conditioning(model.recipe, data.train)
            codes = by_batch(model, x, context, lambda b, c: model.encode(b, c).z.flatten(1))
            codes = finite(codes, "codes", np.dtype(np.float64))
        # Of the training rows, in scaled units: what `score` compares with.
        self.mean_ = np.nanmean(by_batch(model, x, None, lambda b, _: b.flatten(1)), 0)
        self.code_range_ = np.stack([codes.min(0), codes.max(0)])
        return self

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """The codes of rows X [N, D]: [N, latent dimensions].

        y: labels, which conditional recipes need. Semi-supervised ones predict them.
        """
        model, x, context, kind = self._inputs(X, y)
        with value_errors():
            codes = by_batch(model, x, context, lambda b, c: model.encode(b, c).z.flatten(1))
            return finite(codes, "codes", kind)

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Train on rows, and return their codes."""
        return self.fit(X, y).transform(X, y)

    def inverse_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Decode codes [N, latent dimensions] to rows [N, D], in the units of the training data.

        y: labels, which conditional recipes need.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype="numeric", input_name="X")
        if codes.shape[1] != self._n_features_out:
            with value_errors():
                raise DataError(
                    f"The codes have {codes.shape[1]} columns, and this model has "
                    f"{self._n_features_out} latent dimensions",
                    "Give codes of transform.",
                )
        with value_errors():
            model = exact_model(self.model_bytes_)
            context = self._context(model, len(codes), y)
            return self._decoded(model, torch.from_numpy(codes.astype(np.float64)), context, X)

    def sample(self, n_samples: int = 1, y: Any = None, random_state: Any = None) -> np.ndarray:
        """New rows [n_samples, D], in the units of the training data, decoded from random codes.

        Codes are drawn from the sampler or the prior of the model; without either, uniformly from
        the box around the training codes.

        y: of conditional recipes, one label for all rows or one for each; None takes each class in
            turn.
        """
        check_is_fitted(self)
        generator = generator_of(random_state)
        with value_errors():
            model = exact_model(self.model_bytes_)
            check_value(n_samples, Count, "n_samples")
            if conditioned(model) and y is None:
                y = self.classes_[np.arange(n_samples) % len(self.classes_)]
            elif y is not None and np.ndim(y) == 0:
                y = np.full(n_samples, y)
            context = self._context(model, n_samples, y)
            with torch.no_grad(), seeded(generator.initial_seed(), torch.device("cpu")):
                sampler = model.sampler()
                if sampler is None:
                    codes = uniform_like(torch.from_numpy(self.code_range_), n_samples, generator)
                else:
                    codes = sampler.sample((n_samples,)).flatten(1)
            return self._decoded(model, codes, context, None)

    def score(self, X: Any, y: Any = None) -> float:
        """The share of the variance that the reconstruction explains, R²: higher is better.

        1 − squared error of the reconstructions / squared error of the mean training row, both in
        scaled units. 1 is perfect; the mean training row as each reconstruction gives 0.

        y: labels, which conditional recipes need.
        """
        model, x, context, _ = self._inputs(X, y)
        mean = torch.from_numpy(self.mean_)

        def errors(batch: Tensor, given: Tensor | None) -> Tensor:
            rows, images = batch.flatten(1), model(batch, given).images.flatten(1)
            return torch.stack([(rows - images).square(), (rows - mean).square()], 1).nansum(2)

        with value_errors():
            found = finite(by_batch(model, x, context, errors), "errors", np.dtype(np.float64))
        error, of_mean = found.sum(0)
        # Without variance there is nothing to explain; as in r2_score.
        return float(1 - error / of_mean) if of_mean else float(error == 0)

    @available_if(_predicts_labels)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row [N]; only of semi-supervised recipes."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)])

    @available_if(_predicts_labels)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class [N, K]; only of semi-supervised recipes."""
        model, x, _, kind = self._inputs(X)
        assert isinstance(model, LabelModel)
        with value_errors():
            found = by_batch(model, x, None, lambda batch, _: model.proba(batch))
            return finite(found, "probabilities", kind)

    def _context(self, model: Model, n: int, y: Any) -> Tensor | None:
        """The context of n codes of a conditional or semi-supervised model."""
        if y is None and not conditioned(model):
            return None
        if not model.sizes.context:
            return None  # other recipes do not use labels
        if y is None:
            raise DataError(
                f'Recipe "{model.recipe.name}" is conditioned on labels',
                "Give them: inverse_transform(codes, y).",
            )
        labels = list(np.asarray(y).tolist())
        known = self.classes_.tolist()
        for label in labels:
            if label not in known:
                raise DataError(
                    f"There is no class {label!r}", f"Choose from: {', '.join(map(str, known))}."
                )
        if len(labels) != n:
            raise DataError(f"There are {n:,} codes and {len(labels):,} labels", "Give one each.")
        return torch.tensor([known.index(label) for label in labels])

    def _decoded(self, model: Model, z: Tensor, context: Tensor | None, like: Any) -> np.ndarray:
        """Codes [N, d] decoded to rows in the units of the training data."""
        z = z.reshape(-1, *model.sizes.z)
        # Codes are batched like examples; they are float64 already.
        x = by_batch(model, z, context, lambda b, c: model.decode(b, c).mean.flatten(1))
        # Floats: integers of images would be rounded.
        units = replace(preprocessing_of(model), raw_type="float64", channels_last=False)
        kind = self._type(like) if like is not None else np.dtype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            rows = units.inverse(x).reshape(len(x), -1).astype(np.float64)
        return finite(rows, "decoded rows", kind, "Give codes like those of transform.")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
