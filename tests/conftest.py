import os

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import Data, load_data
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES

# Two workers on two cores: each computes with one thread, and none spins while it waits.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> Data:
    """1,797 grey images of 8×8 with labels, from inside scikit-learn."""
    return load_data("digits")


@pytest.fixture
def make():
    """make("vae", x=(28, 28), latent=2, **{"network.hidden": (16,)}) -> a small fresh model."""

    def made(name, x=(28, 28), latent=2, seed=0, **changes):
        recipe = RECIPES[name].but(latent=latent)
        for address, value in changes.items():
            recipe = recipe.set(address, value)
        return build(recipe, Sizes(x, (latent,), n=100), seed=seed)

    return made
