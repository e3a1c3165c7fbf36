"""The likelihood of rows of a table."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Likelihood, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import RowDistribution, widen
from autoencode.parts.likelihoods.pixels import (
    IDENTITY,
    MIN_LOG_SCALE,
    SQUARED_ERROR_SCALE,
    log_scale_of,
    start_of_scale,
)

Widths = tuple[Annotated[int, Within(0, 1_000_000)], ...]


class TableRows(Likelihood):
    """Normal numbers and categories, p(x|z) = ∏ N(xᵢ; θᵢ, σᵢ²) ∏ Categorical(xⱼ; softmax(θⱼ)).

    Missing values, NaN, are left out of the likelihood, so that training maximises the bound on
    the likelihood of the observed cells.  Source: [mattei2019], [nazabal2020].

    columns: for each column of the table 0 for a number, or its number of categories; () for
        numbers only.
    scale: standard deviation of the numbers: "fixed" at √½, so that −ln p(x|z) is their squared
        error plus a constant; "shared", one learned value; or "column", a learned value for each.
    missing: whether rows may have missing values. Then the encoder receives zeros for them and an
        indicator of the missing values.

    Raises:
        RecipeError: examples are images, or the columns do not have the width of an example.
    """

    name = "table"

    def __init__(
        self,
        sizes: Sizes,
        columns: Widths = (),
        scale: Literal["fixed", "shared", "column"] = "shared",
        missing: bool = False,
    ) -> None:
        super().__init__(sizes)
        values = sum(width or 1 for width in columns)
        rows = len(sizes.x) == 1
        if columns and not (rows and values == sizes.pixels):
            raise RecipeError(
                f"The table likelihood has columns of {values} values, and one example here has "
                f"the shape {sizes.x}",
                'Leave the columns out (likelihood.columns), or use likelihood "gaussian".',
            )
        if missing and not rows:
            raise RecipeError(
                f"Only rows of tables may have missing values, and one example here has the shape "
                f"{sizes.x}",
                "Leave likelihood.missing out.",
            )
        self.widths, self.missing = columns, missing
        self.affine = None if any(columns) else IDENTITY
        start = torch.tensor(SQUARED_ERROR_SCALE).log()
        if scale == "column":
            shape = (sum(width == 0 for width in columns),) if columns else sizes.x
            start = start.expand(shape).clone()
        if scale == "fixed":
            self.register_buffer("log_scale", start, persistent=False)
        else:
            self.log_scale = nn.Parameter(start)

    def initialise(self, x: Tensor) -> None:
        """Sets a learned scale to a quarter of the deviation of the numbers."""
        if isinstance(self.log_scale, nn.Parameter):
            kinds = [width == 0 for width in self.widths for _ in range(width or 1)]
            values = x[:, torch.tensor(kinds)] if kinds else x
            if self.log_scale.dim():
                columns = values.flatten(1).T
                start = torch.stack([start_of_scale(each[:, None]) for each in columns])
            else:
                start = start_of_scale(values)
            self.log_scale.data.copy_(start.log().reshape(self.log_scale.shape))

    def noise_variance(self) -> float | None:
        """σ² if it is fixed, else None."""
        is_learned = isinstance(self.log_scale, nn.Parameter)
        return None if is_learned else self.log_scale.exp().square().item()

    def set_noise_variance(self, variance: float) -> None:
        """Sets a learned σ, of all columns alike."""
        if isinstance(self.log_scale, nn.Parameter):
            self.log_scale.data.fill_(log_scale_of(variance))

    def forward(self, theta: Tensor) -> Distribution:
        """Outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        dims = len(self.sizes.x)
        scale = self.log_scale.clamp(min=MIN_LOG_SCALE).exp()
        return RowDistribution(widen(theta).squeeze(-1 - dims), scale, self.widths, dims)
