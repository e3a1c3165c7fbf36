import os
from types import SimpleNamespace

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import Data, Split, load_data
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


@pytest.fixture
def make_table():
    """make_table(columns, n) -> rows of a table that a few hidden numbers decide.

    columns: name -> None for a number, else the names of the categories.
    missing: whether a tenth of the cells is missing.
    """

    def made(columns, n=(120, 10, 60), missing=False, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape):
            return torch.randn(*shape, generator=generator)

        total, blocks, described = sum(n), [], []
        hidden = normal(total, 3)
        for name, categories in columns.items():
            value = hidden @ normal(3, 1) + 0.1 * normal(total, 1)
            if categories is not None:
                index = (value[:, 0] + len(categories) / 2).clamp(0, len(categories) - 1).long()
                value = torch.nn.functional.one_hot(index, len(categories)).float()
            if missing:
                value[torch.rand(total, generator=generator) < 0.1] = torch.nan
            blocks.append(value)
            kind = "numeric" if categories is None else "categorical"
            described.append(SimpleNamespace(name=name, kind=kind, categories=categories or ()))
        parts = [Split(x, None) for x in torch.cat(blocks, 1).split(list(n))]
        data = Data("table", "", {}, *parts, classes=(), fingerprint="")
        # A frozen record: the preprocessing is set as the loader sets it.
        object.__setattr__(data, "preprocessing", SimpleNamespace(columns=tuple(described)))
        return data

    return made
