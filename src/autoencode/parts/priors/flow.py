"""A prior that is a normalising flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Code, Prior, Sizes, Space, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import SplineFlow


class Flow(Prior):
    """Neural spline flow: p(z|c) is a standard normal, transformed by autoregressive splines.

    It is trained jointly with the model, and conditioned on the context if there is one. The
    density takes one pass; a sample takes one pass per latent dimension.  Source: [durkan2019].

    transforms: number of autoregressive transforms.
    hidden: widths of each transform's network.   bins: pieces of each spline on [−5, 5].

    Raises:
        RecipeError: codes are feature maps.
    """

    name = "flow"
    space = Space.REAL

    def __init__(
        self,
        sizes: Sizes,
        transforms: Annotated[int, Within(1, 1_000)] = 3,
        hidden: tuple[Width, ...] = (128, 128),
        bins: Annotated[int, Within(2, 1_000)] = 8,
    ) -> None:
        super().__init__(sizes)
        if len(sizes.z) != 1:
            raise RecipeError(
                f"A flow needs codes that are vectors, and codes here have the shape {sizes.z}",
                'Use prior "mixture" or "normal".',
            )
        self.transforms, self.hidden, self.bins = transforms, hidden, bins
        self.flow = SplineFlow(sizes.latent, sizes.context, transforms, hidden, bins)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [d]; batch [B] if there is a context, else none."""
        prior: Distribution = self.flow(context)
        return prior
