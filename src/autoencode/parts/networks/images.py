"""The base class of networks whose examples are images and whose codes may be feature maps."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError

CodeShape = Literal["vector", "map"]
# Channels, height and width.
Map = tuple[int, int, int]


class ImageNetwork(Network):
    """Base class: a code is a vector, or a feature map with one vector at each position.

    code: "vector" or "map".
    """

    code: CodeShape

    @abstractmethod
    def positions(self, sizes: Sizes) -> tuple[int, int]:
        """Height and width of a code that is a feature map.

        Raises:
            RecipeError: as `image_of`.
        """

    def image_of(self, sizes: Sizes) -> Map:
        """Shape (channels, height, width) of an example.

        Raises:
            RecipeError: examples are vectors.
        """
        if sizes.image is None:
            raise RecipeError(
                f"A {self.name} network needs images, "
                f"and examples are vectors of {sizes.pixels} values",
                'Use network "mlp", or "conv1d" where neighbouring values belong together.',
            )
        return sizes.image

    def code_shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Shape of a code: `sizes.z`, or a map whose number of channels is `sizes.latent`."""
        return (sizes.latent, *self.positions(sizes)) if self.code == "map" else sizes.z

    def check_code(self, sizes: Sizes) -> None:
        """Checks the height and width of a code [D, h, w].

        Raises:
            RecipeError: they are not those of this network.
        """
        high, wide = self.positions(sizes)
        if sizes.z[1:] != (high, wide):
            raise RecipeError(
                f"A {self.name} network gives codes with {high}×{wide} positions for "
                f"these images, and sizes.z is {sizes.z}",
                "Use `sizes_for` of models.build, which computes the shape.",
            )
