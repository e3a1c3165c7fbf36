"""Reconstructions of data as files, in the units of the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Data, Preprocessing, scaled
from autoencode.errors import RecipeError
from autoencode.models.foreign import as_autoencoder
from autoencode.models.masked import needs_mask
from autoencode.models.recipe import Recipe
from autoencode.use.chunks import Chunks, joined, measured, names_of
from autoencode.use.examples import Formats, add_images, by_column, check_kind, in_units
from autoencode.use.files import TABLES, array_to, folder_to, refuse_existing, rows_to

PICTURES = (".png", ".webp")
# Pairs of a picture.
PAIRS = 20


class Written(NamedTuple):
    """What was written.

    n: number of examples.   error: their mean squared error, summed over an example's values.
    notices: what was converted or skipped.
    """

    n: int
    error: float
    notices: tuple[str, ...]


def write_reconstructions(
    model: Any,
    data: Any,
    out: str | Path,
    overwrite: bool = False,
    pairs: int = PAIRS,
    **options: Any,
) -> Written:
    """Reconstruct data and write the result, in the units and the type of the data.

    data, options: as of `load_data`; also loaded data, of which the test part is used, or a part.
    out: a folder for one image file for each example, with its name; .npy for one array; .csv or
        .parquet for the rows of a table; .png or .webp for one picture of the first `pairs`
        examples above their reconstructions.

    A reconstruction is decoded from the mean of the posterior. All is written, or nothing.

    Raises:
        AutoencodeError: `out` exists, or does not go with the data.
        DataError: the data do not fit the model.
    """
    path = Path(out)
    refuse_existing(path, overwrite)
    check_kind(path, model, PICTURES)
    chunks = Chunks(model, data, **options)
    done = _Reconstructed(model, chunks)
    ending = path.suffix.lower()
    notes: list[str] = []
    if ending == ".npy":
        with array_to(path, overwrite) as array:
            for _, raw in done.raw():
                array.add(raw.astype(np.float64) if raw.dtype == object else raw)
    elif ending in TABLES:
        with rows_to(path, overwrite) as rows:
            for names, raw in done.raw():
                rows.add({"name": names, **by_column(model.preprocessing, raw)})
    elif ending in PICTURES:
        _draw(done, path, pairs)
    else:
        formats = Formats()
        with folder_to(path, overwrite) as folder:
            for names, raw in done.raw():
                add_images(folder, names, raw, done.preprocessing, formats)
        notes = [note for note in [formats.note()] if note]
    return Written(done.n, done.error / max(done.n, 1), (*chunks.notices, *notes))


def denoise(model: Any, data: Any, **options: Any) -> Tensor:
    """Images without their noise: the reconstructions of a denoising model, [N, *X], float32.

    model: trained to remove noise, such as by the recipe denoising-ae.
    data, options: as of `load_data`; or loaded data, of which the test part is used, or a part.

    Images are in [0, 1]; `model.preprocessing.inverse` gives the units of the data.

    Raises:
        DataError: the data do not fit the model.
        RecipeError: the model was not trained to remove noise, or is a masked autoencoder.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("denoising-ae", data, steps=10).model
    >>> ae.denoise(model, data).shape
    torch.Size([359, 8, 8])
    """
    model = as_autoencoder(model, data, **options)
    if model.recipe.corruption is None:
        raise RecipeError(
            "This model was not trained to remove noise: its recipe has no corruption",
            'Train one: ae.fit("denoising-ae", data), or use ae.reconstruct.',
        )
    check_finds_noise(model.recipe)
    done = _Reconstructed(model, Chunks(model, data, **options))
    return torch.cat([y for _, _, y in done.each()])


def check_finds_noise(recipe: Recipe) -> None:
    """Checks that a model finds by itself what of an image is wrong.

    Raises:
        RecipeError: it is a masked autoencoder.
    """
    if needs_mask(recipe):
        raise RecipeError(
            "A masked autoencoder does not find out what of an image is missing",
            "Give it a mask of the hidden pixels, in Python: model.restore(images, hidden).",
        )


class _Reconstructed:
    """Chunks of data and their reconstructions, of which the errors are summed.

    n: number of examples so far.   error: sum of their squared errors.
    preprocessing: of the last chunk, which knows the units of the data.
    """

    def __init__(self, model: Any, chunks: Chunks) -> None:
        self.model, self.chunks = model, chunks
        self.n, self.error = 0, 0.0
        self.preprocessing: Preprocessing = model.preprocessing

    def each(self) -> Iterator[tuple[Data, list[str], Tensor]]:
        """A chunk, the names of its examples, and their reconstructions [n, *X]."""
        for chunk in self.chunks.each("reconstructing"):
            x = chunk.test

            def decoded(x: Tensor, context: Tensor | None) -> Tensor:
                images: Tensor = self.model.forward(x, context).images
                return images

            y = joined(measured(self.model, x, decoded))
            difference = (scaled(x.x).float() - y).nan_to_num()  # a missing value has no error
            self.error += difference.double().square().sum().item()
            names = names_of(x, self.n)
            self.n += len(y)
            yield chunk, names, y

    def raw(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """Names, and reconstructions in the units of the data."""
        for chunk, names, y in self.each():
            self.preprocessing = chunk.preprocessing or self.preprocessing
            yield names, in_units(self.preprocessing, y)


def _draw(done: _Reconstructed, path: Path, pairs: int) -> None:
    """Write a picture of the first examples above their reconstructions."""
    from autoencode.report.pictures import pairs_picture, save_picture

    originals: list[Tensor] = []
    images: list[Tensor] = []
    for chunk, _, y in done.each():
        left = pairs - sum(map(len, images))
        originals.append(scaled(chunk.test.x[:left]))
        images.append(y[:left].clamp(0, 1))
    save_picture(pairs_picture(torch.cat(originals), torch.cat(images)), path)
