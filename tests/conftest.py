import os
import subprocess
import sys

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import Column, Data, Preprocessing, Split, load_data
from autoencode.models.adaptation import for_data
from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES

# Two workers on two cores: each computes with one thread, and none spins while it waits.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk():
    """Only a power cut tells synced files from others, and syncing takes most of a short run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def digits() -> Data:
    """1,797 grey images of 8×8 with labels, from inside scikit-learn."""
    return load_data("digits")


@pytest.fixture(scope="session")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-IS", "-c", ""])
    process.wait()
    return process.pid


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
            if categories is None:
                described.append(Column(name))
            else:
                described.append(Column(name, "categorical", categories=categories))
        x = torch.cat(blocks, 1)
        known = Preprocessing((x.shape[1],), columns=tuple(described), missing=missing)
        parts = [Split(part, None) for part in x.split(list(n))]
        return Data("table", "", {}, *parts, classes=(), fingerprint="", preprocessing=known)

    return made


@pytest.fixture
def make_table_model():
    """make_table_model("vae", data) -> the small model that a training on a table begins with.

    Its codes are far enough from 0 that rows differ.
    """

    def made(name, data, latent=2):
        recipe = RECIPES[name].but(latent=latent).set("network.hidden", (8,))
        adapted, _ = for_data(recipe, data)
        sizes = sizes_for(adapted, data.shape, n=len(data.train), bounded=False)
        model = build(adapted, sizes, seed=1)
        with torch.no_grad():
            model.encoder.network.head.weight.mul_(5)
        return model.eval()

    return made
