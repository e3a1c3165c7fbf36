"""Imputation of missing values, measured on cells that are hidden from the model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Column
from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.records import Record
from autoencode.models.imputation import impute

# Share of the observed cells of the test part that are hidden.
HIDDEN = 0.2
# More training rows change scikit-learn's imputer by little and take it minutes.
MAX_FITTED = 5_000


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Errors of hidden cells: of the model, of the column means, and of scikit-learn's imputer.

    Only for tables with missing values, since other models have not learned to do without a value.
    """
    preprocessing = ctx.data.preprocessing
    if preprocessing is None or not preprocessing.missing or not len(ctx.data.train):
        return
    x, columns = ctx.test.x, preprocessing.columns
    hidden = hidden_cells(x, columns, torch.Generator().manual_seed(SEED))
    given = x.masked_fill(hidden, torch.nan)
    numbers = numeric_values(columns)
    filled = {
        "imputation": impute(ctx.model, given, ctx.context),
        "imputation_of_mean": ctx.data.train.x.nanmean(0).expand_as(x),
    }
    if (found := _iterative(ctx.data.train.x[:, numbers], given[:, numbers])) is not None:
        filled["imputation_of_sklearn"] = x.clone()
        filled["imputation_of_sklearn"][:, numbers] = found
    mask = hidden[:, numbers]
    n = int(mask.sum())
    notes = {
        "imputation": f"Root mean squared error of {n:,} numeric cells of the test part, a random "
        f"{HIDDEN:.0%} of those that are known, which the model did not see.",
        "imputation_of_mean": "For reference: the training mean of each column.",
        "imputation_of_sklearn": "For reference: scikit-learn's IterativeImputer, fitted to the "
        "training part.",
    }
    for name, values in filled.items():
        if n:
            squares = (values - x)[:, numbers][mask].double().square()
            value = squares.mean().sqrt().item()
            yield Record(name, value, "scaled units", len(x), notes[name])
    if (share := _categories(filled["imputation"], x, hidden, columns)) is not None:
        note = "Share of hidden categories that the model fills in correctly."
        yield Record("imputed_categories", share, "", len(x), note)


def hidden_cells(x: Tensor, columns: tuple[Column, ...], generator: torch.Generator) -> Tensor:
    """A mask [N, D] of random known cells, all values of a category together."""
    drawn = torch.rand(len(x), len(columns), generator=generator) < HIDDEN
    widths = torch.tensor([column.width for column in columns])
    return drawn.repeat_interleave(widths, 1) & ~torch.isnan(x)


def numeric_values(columns: tuple[Column, ...]) -> Tensor:
    """The positions of numeric columns among the D values of a row."""
    kinds = [column.kind == "numeric" for column in columns for _ in range(column.width)]
    return torch.tensor(kinds).nonzero().flatten()


def _iterative(train: Tensor, test: Tensor) -> Tensor | None:
    """scikit-learn's imputation of the numeric values; None if there are fewer than two columns."""
    if train.shape[1] < 2:
        return None
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # it is experimental
    from sklearn.impute import IterativeImputer

    imputer = IterativeImputer(random_state=SEED, keep_empty_features=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it has not converged
        imputer.fit(train[:MAX_FITTED].double().numpy())
        found = imputer.transform(test.double().numpy())
    return torch.from_numpy(np.asarray(found, np.float32))


def _categories(
    filled: Tensor, x: Tensor, hidden: Tensor, columns: tuple[Column, ...]
) -> float | None:
    hits: list[Tensor] = []
    start = 0
    for column in columns:
        block = slice(start, start + column.width)
        start += column.width
        if column.kind == "categorical" and (rows := hidden[:, block].all(1)).any():
            hits.append(filled[rows, block].argmax(1) == x[rows, block].argmax(1))
    return torch.cat(hits).double().mean().item() if hits else None
