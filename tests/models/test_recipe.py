import pytest

from autoencode.contract import Sizes
from autoencode.errors import RecipeError, ResourceError
from autoencode.models.build import build
from autoencode.models.describe import formula, slots, term_unit
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.table import RECIPES, recipe_named

VAE = RECIPES["vae"]


def test_set_changes_one_number():
    assert VAE.set("terms.kl.weight", 4).terms["kl"].weight == 4
    assert VAE.set("network.hidden", (64, 32)).network.args["hidden"] == (64, 32)
    assert VAE.set("latent", 16).latent == 16
    assert VAE.set("training.lr", 0.1).training["lr"] == 0.1
    assert VAE.set("likelihood", "gaussian").likelihood == Spec("gaussian")
    assert "kl" not in VAE.set("terms.kl", None).terms
    assert RECIPES["ae"].set("terms.kl", "kl").terms["kl"] == Weighted("kl")
    assert VAE.terms["kl"].weight == 1, "the row itself is unchanged"


@pytest.mark.parametrize(
    ("address", "nearest"),
    [
        ("terms.kl.wieght", "terms.kl.weight"),
        ("terms.kll.weight", "terms.kl.weight"),
        ("network.hiden", "network.hidden"),
        ("latnt", "latent"),
        ("netwrk.hidden", "network.hidden"),
    ],
)
def test_unknown_address_names_the_nearest(address, nearest):
    with pytest.raises(RecipeError, match=f'Did you mean "{nearest}"'):
        VAE.set(address, 3)


def test_every_address_can_be_set_to_what_it_is():
    for row in RECIPES.values():
        for address in row.addresses():
            head, _, rest = address.partition(".")
            if head == "terms" or not rest:
                continue
            args = getattr(row, head).args
            if rest in args:
                assert row.set(address, args[rest]) == row


@pytest.mark.parametrize(
    ("recipe", "address"),
    [
        ("sparse-top-k", "terms.aux-k.restart"),
        ("sparse-batch-top-k", "terms.aux-k.weight"),
        ("ae", "terms.l2.weight"),
        ("vae", "terms.l1.nothing"),
    ],
)
def test_an_argument_of_a_term_that_is_not_there(recipe, address):
    name = address.split(".")[1]
    with pytest.raises(RecipeError, match=f'has no term "{name}"') as caught:
        RECIPES[recipe].set(address, 0.5)
    assert caught.value.fix == f"Add it first: --set terms.{name}={name}."
    assert not RECIPES["ae"]._has_place_for("aux-k")
    added = RECIPES[recipe].set(f"terms.{name}", name)
    if address.endswith("nothing"):
        with pytest.raises(RecipeError, match="nothing named"):
            added.set(address, 0.5)
    else:
        assert added.set(address, 0.5).terms[name] != added.terms[name]


@pytest.mark.parametrize(
    ("address", "value", "message"),
    [
        ("latent", 0, "latent must be a whole number from 1"),
        ("latent", -3, "latent must be"),
        ("latent", 2.5, "latent must be"),
        ("latent", True, "latent must be"),
        ("network.hidden", (0,), "network.hidden must be a list"),
        ("network.hidden", 512, "network.hidden must be a list"),
        ("network.dropout", 1.5, "network.dropout must be a finite number from 0 to 0.99"),
        ("network.activation", "rleu", "network.activation must be one of"),
        ("terms.kl.weight", float("nan"), "terms.kl.weight must be a finite number"),
        ("terms.kl.weight", "much", "terms.kl.weight must be a finite number"),
        ("network", "con", 'no network "con". Did you mean "conv"'),
        ("bottleneck", "gausian", 'Did you mean "gaussian"'),
        ("samples", 0, "samples must be"),
    ],
)
def test_values_out_of_range_are_refused(address, value, message):
    with pytest.raises(RecipeError, match=message):
        VAE.set(address, value)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (VAE.set("bottleneck", "point"), 'Use bottleneck "gaussian"'),
        (VAE.set("prior", None), "--set prior=normal"),
    ],
)
def test_parts_without_meaning_together_are_refused(recipe, message):
    with pytest.raises(RecipeError, match=message):
        build(recipe, Sizes((28, 28), (2,)))


def test_an_objective_of_nothing_is_refused():
    with pytest.raises(RecipeError, match="its loss is empty"):
        Recipe(terms={})


def test_giant_is_refused_before_it_takes_memory():
    giant = RECIPES["ae"].set("network.hidden", (1_000_000, 1_000_000))
    with pytest.raises(ResourceError, match="parameters"):
        build(giant, Sizes((28, 28), (2,)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"netwrk": {"kind": "mlp"}}, 'Did you mean "network"'),
        ({"network": {"kind": "os.system"}}, 'no network "os.system"'),
        ({"network": {"kind": "mlp", "args": {"hidden": [10**9]}}}, "network.hidden"),
        ({"network": {"kind": "mlp", "args": {"hidden": [8] * 5000}}}, "network.hidden"),
        ({"network": {"kind": "mlp", "args": {"width": 3}}}, "takes no argument"),
        ({"network": "mlp"}, '"network" of a recipe'),
        ({"network": {"kind": "mlp", "args": [1]}}, '"network.args"'),
        ({"terms": ["kl"]}, '"terms" of a recipe'),
        ({"terms": {"kl": {"kind": "kl", "weight": "1"}}}, "terms.kl.weight"),
        ({"training": 3}, '"training" of a recipe'),
        ({"latent": "2"}, "latent must be"),
    ],
)
def test_hostile_json_is_refused(change, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict({**VAE.to_dict(), **change})


def test_json_that_is_no_object_is_refused():
    with pytest.raises(RecipeError, match="JSON object"):
        Recipe.from_dict([1, 2])


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match='Did you mean "vae"'):
        recipe_named("vea")


def test_description():
    assert formula(VAE) == "loss = −ln p(x|z) + KL(q(z|x) ‖ p(z))   [nats per example]"
    assert formula(RECIPES["rae-l2"]).endswith("½‖z‖²   [per example]")
    assert slots(RECIPES["ae-linear"])["network"] == "mlp(hidden=[])"


@pytest.mark.parametrize(
    ("recipe", "units"),
    [
        ("vae", {"reconstruction": "nats", "kl": "nats"}),
        ("contractive-ae", {"reconstruction": "nats", "contractive": ""}),
        ("ms-ssim-vae", {"reconstruction": "", "kl": "nats"}),
        ("vq-vae", {"commitment": "", "codebook": ""}),
        ("factor-vae", {"correlation": "nats"}),
        ("aae", {"match": ""}),
        ("m1-m2", {"code-kl": "nats", "label-kl": "nats", "classification": "nats"}),
    ],
)
def test_units(recipe, units):
    assert {name: term_unit(RECIPES[recipe], name) for name in units} == units


def test_unit_of_a_value_that_the_objective_does_not_have():
    with pytest.raises(RecipeError, match='Did you mean "commitment"'):
        term_unit(RECIPES["vq-vae"], "comitment")
