"""What both estimators share: parameters, the checks of `X` and `y`, and the training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from torch import Tensor

from autoencode.arguments import Within, check_value
from autoencode.data import Data, Preprocessing, load_data, load_new
from autoencode.data.arrays import as_array
from autoencode.data.split.labels import is_unknown
from autoencode.errors import DataError, RecipeError
from autoencode.io.progress import say
from autoencode.models.build import Model, learns_labels
from autoencode.models.conditions import conditioning
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.parts import CONTEXTS
from autoencode.parts.networks.custom import is_custom
from autoencode.sklearn.messages import in_python, value_errors
from autoencode.sklearn.stored import exact_model, packed, unpacked
from autoencode.sklearn.values import mapping, plain, seed_of
from autoencode.train.session import FitResult, new_session

# Training settings that are parameters of the estimators, or that need a run folder.
ELSEWHERE = {
    "steps": "steps=",
    "lr": "lr=",
    "batch_size": "batch_size=",
    "seed": "random_state=",
    **dict.fromkeys(("checkpoint_every", "snapshots", "tensorboard"), ""),
}
_Fraction = Annotated[float, Within(0.0, 1.0)]


class AutoencoderEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base class of the estimators; see `AutoencoderTransformer` for the parameters."""

    recipe: str | Recipe
    latent: int | None
    steps: int | None
    lr: float | None
    batch_size: int | None
    overrides: Mapping[str, Any] | None
    training: Mapping[str, Any] | None
    scale: str | None
    image_shape: tuple[int, ...] | None
    value_range: Any
    missing: bool
    validation_fraction: float
    random_state: Any
    verbose: bool
    model_bytes_: bytes

    def to_model(self) -> Model:
        """The trained model as a torch module, for all functions of the package.

        It is built anew by each call; changes of it do not change the estimator.
        """
        check_is_fitted(self)
        with value_errors():
            return unpacked(self.model_bytes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(self.missing)
        with suppress(DataError, RecipeError, TypeError, AttributeError):
            # Of unusable parameters, `fit` says what is wrong.
            tags.target_tags.required = _source(self._recipe()) == "labels"
        return tags

    def _recipe(self) -> Recipe:
        """The recipe with its latent dimensions and overrides.

        Raises:
            RecipeError: there is no such recipe, or it does not fit.
        """
        found = recipe_named(self.recipe) if isinstance(self.recipe, str) else self.recipe
        if not isinstance(found, Recipe):
            raise RecipeError(
                f"recipe is a {type(found).__name__}", 'Give a name, recipe="vae", or a Recipe.'
            )
        if self.latent is not None:
            found = found.but(latent=plain(self.latent))
        for address, value in mapping(self.overrides, "overrides").items():
            found = found.set(str(address), plain(value))
        if is_custom(found.network.kind):
            raise RecipeError(
                "An estimator holds no code, so it cannot have a network of your own",
                "Train it with autoencode.fit.",
            )
        return found

    def _settings(self) -> dict[str, Any]:
        """The training settings without the seed."""
        given = {str(n): plain(v) for n, v in mapping(self.training, "training").items()}
        for name in given:
            if name in ELSEWHERE:
                fix = f"Give {ELSEWHERE[name]}" if ELSEWHERE[name] else "Train with autoencode.fit."
                raise RecipeError(f'"{name}" is no setting of an estimator in training=', fix)
        named = {"steps": self.steps, "lr": self.lr, "batch_size": self.batch_size}
        return given | {name: plain(v) for name, v in named.items() if v is not None}

    def _train(self, X: Any, y: Any) -> tuple[Model, Data]:
        """Trains the model, sets the attributes of the fit, and returns model and data.

        Raises:
            EstimatorError: parameters or data are not usable, or the training diverged.
        """
        with value_errors():
            recipe, settings = self._recipe(), self._settings()
            fraction = plain(self.validation_fraction)
            check_value(fraction, _Fraction, "validation_fraction")
            if fraction in (0, 1):
                raise RecipeError(f"validation_fraction is {fraction}", "Give a number between.")
            if self.value_range is not None and self.image_shape is None and self.scale != "none":
                raise RecipeError(
                    "value_range is given, and each column is scaled by its own values",
                    "Leave it out, or give image_shape= or scale='none'.",
                )
            rows = self._checked_rows(X, least=2)
            labels = self._labels(recipe, rows, y)
        seed = seed_of(self.random_state)
        with value_errors():
            data = self._load(rows, labels, fraction, seed)
            known = data.train.y is None or not bool((data.train.y < 0).any())
            if learns_labels(recipe) and known:  # nothing to mix with
                settings.setdefault("labelled", None)
            try:
                notices, fit = _trained(recipe, data, settings, seed, bool(self.verbose))
            except RecipeError as error:
                if self.image_shape is None and " images" in error.what:
                    fix = f"{error.fix} Or give image_shape=(height, width), for rows of pixels."
                    raise RecipeError(error.what, fix) from error
                raise
        self._keep(fit, labels)
        self.notices_ = notices
        return exact_model(self.model_bytes_), data

    def _keep(self, fit: FitResult, labels: np.ndarray | None) -> None:
        """Sets the attributes of a fit, which hold no objects of torch."""
        self.model_bytes_ = packed(fit.model)
        self.n_iter_ = int(fit.summary["steps"])
        self._n_features_out = math.prod(fit.model.sizes.z)
        if labels is not None:
            known = _known(labels)
            self.classes_ = np.unique(labels[known])
            self.n_unlabelled_ = int((~known).sum())
        elif hasattr(self, "classes_"):
            del self.classes_, self.n_unlabelled_

    def _load(self, rows: np.ndarray, labels: Any, fraction: float, seed: int) -> Data:
        """The rows as data of the package: training and validation part.

        Raises:
            DataError: they are not usable.
        """
        options: dict[str, Any] = {"validation": float(fraction), "seed": seed}
        options["value_range"] = self.value_range
        options["scale"] = plain(self.scale)
        if self.image_shape is None and self.scale is None:
            options["scale"] = "standard"
        options |= _axes(rows)
        empty = np.flatnonzero(np.isnan(rows).all(0)) if rows.ndim == 2 else np.zeros(0, int)
        if len(empty):
            raise DataError(f"Column {self._column(empty[0])} has no value", "Leave it out of X.")
        # Without a test part one would be drawn; nothing is done with this one.
        first = None if labels is None else labels[:1]
        with np.errstate(over="ignore", invalid="ignore"):
            data = load_data(((rows, labels), (rows[:1], first)), **options)
        assert data.preprocessing is not None
        for i, column in enumerate(data.preprocessing.columns):
            if not (math.isfinite(column.scale) and math.isfinite(column.centre)):
                raise DataError(
                    f"The values of column {self._column(i)} are so large that their "
                    "standard deviation is infinite",
                    "Divide them by a constant before.",
                )
        self._refuse_infinite(data.train.x)
        self._refuse_infinite(data.validation.x)
        return data

    def _inputs(self, X: Any, y: Any = None) -> tuple[Model, Tensor, Tensor | None, np.dtype]:
        """The model, the preprocessed rows of new data, their context, and the type of results.

        Raises:
            EstimatorError: the data do not fit the model.
        """
        check_is_fitted(self)
        with value_errors():
            rows = self._checked_rows(X)
            model = exact_model(self.model_bytes_)
            labels = self._labels(model.recipe, rows, y) if conditioned(model) else None
            known = np.ones(len(rows), bool) if labels is None else _known(labels)
            if not known.all() and not self.n_unlabelled_:
                raise DataError(
                    f"The labels of {int((~known).sum()):,} rows are unknown, and the model was "
                    "trained without such rows",
                    "Give their labels.",
                )
            preprocessing = preprocessing_of(model)
            options = _axes(rows)
            if not preprocessing.is_table and preprocessing.range_source != "percentiles":
                # The range of the training data, whatever the type of these.
                options["value_range"] = preprocessing.low, preprocessing.high
            with np.errstate(over="ignore"):
                source = rows if labels is None or not known.any() else (rows, labels)
                part = load_new(source, preprocessing, **options).test
            if labels is not None and part.y is None:  # all are unknown
                part = replace(part, y=torch.full((len(rows),), -1))
            self._refuse_infinite(part.x)
            context = conditioning(model.recipe, part)
        return model, part.x, context, self._type(X)

    def _checked_rows(self, X: Any, least: int | None = None) -> np.ndarray:
        """`X` as an array [N, D], or [N, *image_shape], of real numbers.

        least: the smallest number of rows of training data; None for new data.

        Raises:
            ValueError, TypeError: of scikit-learn.   DataError: another number of axes.
        """
        shape = getattr(X, "shape", ())
        if len(shape) > 2:
            raise DataError(
                f"X has the shape {tuple(shape)}, and estimators take rows",
                f"Give X.reshape(len(X), -1), with image_shape={tuple(shape[1:])}.",
            )
        if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
            raise DataError(
                "X is a masked array with masked values",
                "Fill them, X.filled(0), or give X.filled(np.nan) with missing=True.",
            )
        rows = validate_data(
            self,
            X,
            reset=least is not None,
            dtype="numeric",
            ensure_all_finite="allow-nan" if self.missing else True,
            ensure_min_samples=least or 1,
        )
        if self.image_shape is None:
            return rows.astype(np.float64)  # type: ignore[no-any-return]
        size = plain(self.image_shape)
        if not isinstance(size, tuple) or len(size) not in (2, 3):
            raise RecipeError(
                f"image_shape is {self.image_shape!r}",
                "Give (height, width), or (channels, height, width).",
            )
        if math.prod(size) != rows.shape[1]:
            raise DataError(
                f"The rows have {rows.shape[1]:,} values, and images of shape {size} have "
                f"{math.prod(size):,}",
                "Give the image_shape of the rows.",
            )
        if rows.dtype.kind == "f" and rows.dtype.itemsize not in (4, 8):
            rows = rows.astype(np.float64)
        # Grey images have no axis of channels.
        return rows.reshape(len(rows), *(size[1:] if size[0] == 1 and len(size) == 3 else size))  # type: ignore[no-any-return]

    def _labels(self, recipe: Recipe, rows: np.ndarray, y: Any) -> np.ndarray | None:
        """The labels [N] for a recipe that uses labels, else None; the package reads them.

        Raises:
            DataError: there are none, or the recipe needs vectors.
        """
        source = _source(recipe)
        if source == "vectors":
            raise DataError(
                f'Recipe "{recipe.name}" is conditioned on vectors, which estimators do not take',
                "Train it with autoencode.fit.",
            )
        if source is None:
            return None
        if y is None:
            raise DataError(
                f'Recipe "{recipe.name}" requires y to be passed, but the target y is None',
                "Give the labels as y, −1 for unknown ones.",
            )
        check_consistent_length(rows, y)
        labels = as_array(y, "y")
        return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels

    def _refuse_infinite(self, x: Tensor) -> None:
        """Refuses values that float32 cannot hold after scaling, x [N, *X].

        Raises:
            DataError: there are some.
        """
        if not x.is_floating_point() or not (wrong := x.isinf()).any():
            return
        row, column = (int(i) for i in wrong.flatten(1).nonzero()[0])
        raise DataError(
            f"The value of row {row} in column {self._column(column)} is too large for float32 "
            "after scaling",
            "Remove or clip it.",
        )

    def _column(self, i: int) -> str:
        names = getattr(self, "feature_names_in_", None)
        return str(i) if names is None else str(names[i])

    @staticmethod
    def _type(X: Any) -> np.dtype:
        """The type of results: float32 for the types that it holds exactly, else float64."""
        kind = getattr(X, "dtype", None)
        narrow = isinstance(kind, np.dtype) and np.result_type(kind, np.float32) == np.float32
        return np.dtype(np.float32 if narrow else np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_bytes_")

    def fit(self, X: Any, y: Any = None) -> Self:
        """See the estimators."""
        raise NotImplementedError


def preprocessing_of(model: Model) -> Preprocessing:
    """How rows become the tensors of a model."""
    assert model.preprocessing is not None  # a trained model
    return model.preprocessing


def conditioned(model: Model) -> bool:
    """Whether codes and reconstructions depend on labels that must be given."""
    return _source(model.recipe) == "labels" and not learns_labels(model.recipe)


def _source(recipe: Recipe) -> str | None:
    return None if recipe.context is None else CONTEXTS[recipe.context.kind].source


def _trained(
    recipe: Recipe, data: Data, settings: Mapping[str, Any], seed: int, verbose: bool
) -> tuple[tuple[str, ...], FitResult]:
    """Notices on data and training, and the result."""
    progress = None if verbose else False
    if "steps" in settings:  # which the notices state
        recipe = recipe.but(training={**recipe.training, "steps": settings["steps"]})
    session = new_session(recipe, data, {**settings, "seed": seed}, None, progress)
    # The test part is the first row, see `_load`.
    notices = [each for each in data.notices if " test part" not in each]
    notices = [in_python(each) for each in (*notices, *session.notices)]
    for notice in notices if verbose else ():
        say(notice)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = session.train()
    for each in caught:
        # The caller of `fit`, whose own filters decide.
        warnings.warn(in_python(str(each.message)), each.category, stacklevel=4)
    return tuple(notices), result


def _known(labels: np.ndarray) -> np.ndarray:
    """Which labels [N] are known, [N]."""
    return np.array([not is_unknown(label) for label in labels.tolist()], bool)


def _axes(rows: np.ndarray) -> dict[str, Any]:
    """The option that says that images [N, C, H, W] have their channels first."""
    return {"channels_last": False} if rows.ndim == 4 else {}
