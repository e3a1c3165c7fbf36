"""What is asked of parts when they are put together."""

import pytest
import torch

from autoencode.contract import Prior, Sizes
from autoencode.data import load_data
from autoencode.errors import DataError, RecipeError
from autoencode.models.build import MODELS, batch_norms, build, sizes_for
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.parts import BOTTLENECKS, PRIORS
from autoencode.train import fit


def test_a_term_that_needs_clusters_asks_the_prior_for_them():
    clustered = {name for name, prior in PRIORS.items() if prior.clustered}
    assert clustered == {"mixture"}
    assert not Prior.clustered
    row = next(r for r in RECIPES.values() if "cluster-kl" in {t.kind for t in r.terms.values()})
    for prior in (None, "normal", "vamp"):
        with pytest.raises(RecipeError, match="prior=mixture"):
            build(row.set("prior", prior), Sizes((8, 8), (row.latent,), n=100), seed=0)


def test_a_planar_posterior_says_how_much_it_asks_of_the_encoder():
    sizes = Sizes((8, 8), (3,))
    assert [BOTTLENECKS["planar"](sizes, steps=k).features for k in (1, 4)] == [5, 14]
    assert BOTTLENECKS["gaussian"](sizes).features == 2


@pytest.mark.parametrize(
    ("name", "changes", "addresses"),
    [
        ("ae", {}, []),
        ("ae", {"network.norm": "batch"}, ["network.norm"]),
        ("ae", {"bottleneck": "top-k"}, ["bottleneck.norm"]),
        (
            "ae",
            {"bottleneck": "top-k", "network.norm": "batch"},
            ["network.norm", "bottleneck.norm"],
        ),
        ("ladder-vae", {"network.norm": "none"}, ["model.norm"]),
        ("ladder-vae", {"network.norm": "none", "model.norm": "none"}, []),
        ("fsq", {"network.norm": "none"}, []),
    ],
)
def test_batch_norms_are_named(name, changes, addresses):
    recipe = RECIPES[name]
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    assert sorted(batch_norms(recipe)) == sorted(addresses)


@pytest.mark.parametrize(
    ("name", "changes", "fix"),
    [
        ("ae", {"bottleneck": "top-k"}, r"or more, or --set bottleneck\.norm=none\."),
        ("fsq", {"network.norm": "batch"}, r"2 or more\.$"),
    ],
)
def test_a_batch_of_one_is_refused_with_what_would_help(digits, name, changes, fix):
    recipe = RECIPES[name].set("network.hidden", (8,))
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    with pytest.raises(RecipeError, match=fix):
        fit(recipe, digits, steps=1, batch_size=1)
    if "--set" in fix:
        fit(recipe.set("bottleneck.norm", "none"), digits, steps=1, batch_size=1)


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_model_does_not_take_is_refused(kind):
    row = next(row for row in RECIPES.values() if row.model.kind == kind)
    with pytest.raises(RecipeError, match="model"):
        build(row.but(model=Spec(kind, {"sizes": 3})), Sizes((8, 8), (row.latent,), context=3))
    torch.manual_seed(0)
    assert build(row, sizes_for(row, (8, 8), context=3 if row.context else 0, n=50))


def test_a_batch_of_one_cannot_mix_examples_with_and_without_labels():
    with pytest.raises(DataError, match="batch-size 2"):
        fit("m2", load_data("digits", labelled=50), steps=1, batch_size=1)
