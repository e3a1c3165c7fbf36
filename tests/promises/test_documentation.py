"""The generated documentation: what stops it, and that what is committed is up to date."""

import importlib.util
import re
from pathlib import Path

import pytest

from autoencode.errors import RecipeError
from autoencode.models.papers import PAPERS
from autoencode.models.recipes.table import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_paper_that_the_bibliography_lacks_is_named(generate):
    recipe = RECIPES["vae"].but(papers=("nobody2030",))
    with pytest.raises(RecipeError, match=r'"nobody2030".*Add "nobody2030": .*papers\.json'):
        generate.section(recipe)


@pytest.mark.parametrize("name", ["about", "papers"])
def test_a_recipe_without_a_description_is_named(generate, name):
    recipe = RECIPES["vae"].but(**{name: type(getattr(RECIPES["vae"], name))()})
    with pytest.raises(RecipeError, match=f'"vae" has no {name}'):
        generate.section(recipe)


def test_sources_in_docstrings_are_in_the_bibliography():
    for path in (ROOT / "src" / "autoencode").rglob("*.py"):
        for key in re.findall(r"\[([a-z]+(?:19|20)\d\d[a-z]*)\]", path.read_text(encoding="utf-8")):
            assert key in PAPERS, f"{path.name}: [{key}]"
