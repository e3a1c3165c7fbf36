"""New data for a trained model, preprocessed as in its training."""

from __future__ import annotations

from typing import Any

from autoencode.data import Data, load_new
from autoencode.errors import DataError
from autoencode.models.build import Model


def new_data(model: Model, source: Any, **options: Any) -> Data:
    """All examples of a source in the test part, preprocessed as in the training of a model.

    source, options: as of `load_data`: paths, arrays, tables, in their own units.

    Raises:
        DataError: the model does not know its preprocessing, or the data do not fit the model.
    """
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise DataError(
            "This model does not know how its data were preprocessed, because it was built and not "
            "trained, or trained by an older version",
            "Set it: model.preprocessing = load_data(source).preprocessing.",
        )
    return load_new(source, preprocessing, **options)
