"""The reconstruction error of principal component analysis with as many dimensions as the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from autoencode.contract import Space
from autoencode.data import still
from autoencode.data.principal import MAX_EXACT, PrincipalAxes, principal_axes
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.measures.reconstruction import column_records, squared_error_unit
from autoencode.evaluation.metrics.quality import squared_error
from autoencode.evaluation.metrics.table_columns import column_squares
from autoencode.evaluation.records import Record
from autoencode.models.inference import split

# Errors of the last PCAs, by data and dimensions: compared runs of one data set share them.
MAX_KEPT = 8
_kept: dict[tuple[object, ...], tuple[Record, ...]] = {}


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Squared error of PCA, fitted to the training part and measured on the test part; R² too.

    None without a training part. None for discrete codes: an entry of a finite codebook holds far
    less than a real number, so that PCA with as many dimensions is no fair reference.
    """
    if not ctx.has_train or ctx.model.space is Space.CODES:
        return
    data = ctx.data
    key = (data.fingerprint, ctx.latent, len(data.train), len(data.test), data.shape)
    found = _kept.get(key) if data.fingerprint else None
    if found is None:
        found = tuple(_records(ctx))
        while len(_kept) >= MAX_KEPT:
            _kept.pop(next(iter(_kept)), None)
        _kept[key] = found
    yield from found


def _records(ctx: EvaluationContext) -> Iterator[Record]:
    test, values = ctx.test.x, ctx.model.sizes.pixels
    if ctx.latent >= values:
        fitted, used = None, values
        how = f"PCA with as many dimensions as an example has values, {values:,}: the error is 0"
    else:
        train = still(replace(ctx.data.train, y=None)).x
        fitted = principal_axes(train, ctx.latent)
        used = len(fitted.axes)
        how = _how(fitted, len(train), used < ctx.latent)
    squares = torch.zeros(values, dtype=torch.float64)
    errors = []
    for batch in split(test, ctx.batch_size):
        exact = batch.double() if batch.is_floating_point() else batch
        again = exact if fitted is None else fitted.reconstruct(exact)
        errors.append(squared_error(exact, again))
        if test.dim() == 2:
            squares += column_squares(exact, again).cpu()
    unit = squared_error_unit(ctx)
    yield ctx.mean("squared_error_of_pca", torch.cat(errors), unit, f"{how}.")
    yield Record("pca_dimensions", used, "dimensions", len(test), "Dimensions of the PCA.")
    if test.dim() == 2:
        yield from column_records(ctx, squares, "_of_pca")


def _how(fitted: PrincipalAxes, n: int, is_capped: bool) -> str:
    """How a PCA was fitted, to how many of n training examples."""
    used, values = fitted.axes.shape
    which = "" if fitted.examples == n else f"{fitted.examples:,} evenly spread of "
    how = f"PCA with {used:,} dimensions, fitted to {which}{n:,} training examples"
    if is_capped:
        how += ", which allow no more dimensions"
    return how if values <= MAX_EXACT else f"{how} by a randomised singular value decomposition"
