"""The likelihood of rows of a table."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Likelihood, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import RowDistribution, widen
from autoencode.parts.likelihoods.pixels import MIN_LOG_SCALE, SQUARED_ERROR_SCALE, start_of_scale

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
        widths = columns or (0,) * sizes.pixels
        if len(sizes.x) != 1 or sum(width or 1 for width in widths) != sizes.pixels:
            raise RecipeError(
                f"The table likelihood has columns of {sum(width or 1 for width in widths)} "
                f"values, and one example here has the shape {sizes.x}",
                'Use likelihood "gaussian", or give the columns: likelihood.columns.',
            )
        self.widths, self.missing = widths, missing
        numbers = sum(width == 0 for width in widths)
        start = torch.tensor(SQUARED_ERROR_SCALE).log()
        if scale == "column":
            start = start.repeat(numbers)
        if scale == "fixed":
            self.register_buffer("log_scale", start, persistent=False)
        else:
            self.log_scale = nn.Parameter(start)

    def initialise(self, x: Tensor) -> None:
        """Sets a learned scale to a quarter of the deviation of the numbers."""
        if isinstance(self.log_scale, nn.Parameter):
            numbers = [i for i, column in enumerate(self._first_values()) if column]
            values = x[:, numbers]
            if self.log_scale.dim():
                start = torch.stack([start_of_scale(each[:, None]) for each in values.T])
            else:
                start = start_of_scale(values)
            self.log_scale.data.copy_(start.log())

    def forward(self, theta: Tensor) -> Distribution:
        """Outputs [*S, B, 1, D] to a distribution with batch [*S, B], event [D]."""
        scale = self.log_scale.clamp(min=MIN_LOG_SCALE).exp()
        return RowDistribution(widen(theta).squeeze(-2), scale, self.widths)

    def _first_values(self) -> list[bool]:
        """For each of the D values whether it is a number."""
        return [width == 0 for width in self.widths for _ in range(width or 1)]
