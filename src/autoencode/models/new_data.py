"""New data for a trained model, preprocessed as in its training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from autoencode.contract import Autoencoder, Sizes
from autoencode.data import Data, Preprocessing, Split, load_new
from autoencode.data.read.frame import is_frame
from autoencode.errors import DataError


def new_data(model: Autoencoder, source: Any, **options: Any) -> Data:
    """All examples of a source in the test part, preprocessed as in the training of a model.

    source, options: as of `load_data`: paths, arrays, tables, in their own units.

    Raises:
        DataError: the model does not know its preprocessing, or the data do not fit the model.
    """
    return load_new(source, preprocessing_of(model), **options)


def preprocessing_of(model: Autoencoder) -> Preprocessing:
    """How raw data become the tensors of a model.

    Raises:
        DataError: the model does not know it.
    """
    if not isinstance(getattr(model, "sizes", None), Sizes):
        raise DataError(
            f"{type(model).__name__} was not trained by this package, and this function needs a "
            "model that was",
            "For a module use ae.embed, ae.reconstruct, ae.score, ae.evaluate or ae.plot; or train "
            'its networks: ae.fit(ae.RECIPES["ae"].but(network=ae.Spec("my_net.py")), data).',
        )
    preprocessing: Preprocessing | None = getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise DataError(
            "This model does not know how its data were preprocessed, because it was built and not "
            "trained, or trained by an older version",
            "Set it: model.preprocessing = load_data(source).preprocessing.",
        )
    return preprocessing


def is_raw(x: Any) -> bool:
    """Whether examples are raw data in their own units, or a part of loaded data.

    Numbers are not raw: tensors, arrays and lists hold examples as a model receives them.
    """
    return isinstance(x, str | Path | Mapping | Dataset | Data | Split) or is_frame(x)


def part_of(model: Autoencoder, x: Any) -> Split:
    """The examples of raw data, or of a part of loaded data, preprocessed for a model.

    Raises:
        DataError: as `new_data`, or a complete data set was given instead of a part.
    """
    if isinstance(x, Split):
        return x
    if isinstance(x, Data):
        raise DataError(
            "A data set has three parts, and one is needed", "Give one, such as data.test."
        )
    return new_data(model, x).test
