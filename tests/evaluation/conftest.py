from collections.abc import Callable

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import Data, Split
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.build import build
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import RECIPES

# Parts of sizes that no batch divides.
COUNTS = {"train": 61, "validation": 7, "test": 23}


@pytest.fixture
def make_data() -> Callable[..., Data]:
    """Blurred noise with labels that the brightness decides; uint8 where it is an image."""

    def make(shape: tuple[int, ...], labels: bool = True, seed: int = 0, **counts: int) -> Data:
        generator = torch.Generator().manual_seed(seed)

        def split(count: int) -> Split:
            y = torch.randint(0, 3, (count,), generator=generator)
            x = 0.5 * torch.rand(count, *shape, generator=generator)
            x += y.reshape(-1, *[1] * len(shape)) / 4
            x = (x * 255).to(torch.uint8) if len(shape) > 1 else x
            return Split(x, y if labels else None)

        parts = {name: split(counts.get(name, count)) for name, count in COUNTS.items()}
        classes = ("dark", "grey", "bright") if labels else ()
        return Data("made", "", {}, **parts, classes=classes, fingerprint="")

    return make


@pytest.fixture
def make_model() -> Callable[..., SlotAutoencoder]:
    """A model with codes far enough from 0 that all figures are of a usual size."""

    def make(recipe: str | Recipe, shape: tuple[int, ...], latent: int = 3) -> SlotAutoencoder:
        recipe = RECIPES[recipe] if isinstance(recipe, str) else recipe
        model = build(recipe, Sizes(x=shape, z=(latent,)), seed=1)
        with torch.no_grad():
            model.encoder.network.head.weight.mul_(5)
        return model.eval()

    return make
