"""A page of every recipe, opened in a browser."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from autoencode.data import load_data
from autoencode.errors import RecipeError
from autoencode.explorer.page import write_explorer
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit

WEB = Path(__file__).parents[2] / "web"
# Latent dimensions, for recipes that take any.
LENGTHS = (2, 32)


@pytest.fixture(scope="module")
def open_all():
    """open_all(paths) -> {name: faults}, in Chromium."""
    if not (WEB / "node_modules" / "puppeteer-core").exists() or not shutil.which("chromium"):
        pytest.skip("needs chromium and web/node_modules: cd web && npm ci")

    def opened(paths):
        script = WEB / "test" / "browser" / "open_all.mjs"
        done = subprocess.run(
            ["node", script, *paths], capture_output=True, text=True, timeout=600, check=True
        )
        return json.loads(done.stdout)

    return opened


def pages(folder, data, names, **changes):
    """A page for each recipe after two steps, without a sampler fitted to its codes."""
    found = []
    for name in names:
        recipe = RECIPES[name].but(sampler=None)
        settings = {"steps": 2, "batch_size": 20, "progress": False}
        if recipe.training.get("labelled") is not None:
            settings["labelled"] = None
        out = folder / name
        try:
            fit(recipe, data, out=out, **settings, **changes)
        except RecipeError:
            if not changes:
                raise
            continue  # a recipe with a fixed code shape
        found.append(write_explorer([open_run(out)], folder / f"{name}.html", 200, data))
    return found


@pytest.mark.slow  # fifty trainings, however short, and as many pages
@pytest.mark.parametrize("latent", [None, *LENGTHS])
def test_every_recipe_opens_on_grey_images(digits, tmp_path, open_all, latent):
    changes = {} if latent is None else {"latent": latent}
    found = open_all(pages(tmp_path, digits, RECIPES, **changes))
    assert len(found) == len(RECIPES) if latent is None else len(found) > 40
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "names"),
    [((3, 16, 16), RECIPES), ((30,), ("ae", "vae", "cvae", "vq-vae", "iaf-vae", "ladder-vae"))],
)
def test_recipes_open_on_colour_images_and_vectors(tmp_path, open_all, shape, names):
    rng = np.random.default_rng(0)
    x = rng.random((300, *shape), np.float32)
    data = load_data((x, rng.integers(0, 3, 300)))
    found = open_all(pages(tmp_path, data, names))
    assert {name: faults for name, faults in found.items() if faults} == {}
