"""Every promise of the contract, for every recipe and for every part that no recipe uses."""

import copy
import json
import re
from functools import cache

import pytest
import torch

from autoencode.arguments import argument_value
from autoencode.contract import Autoencoder, Bottleneck, Code, Sizes, Space, Term
from autoencode.errors import DataError, RecipeError
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.assemble import shape_words
from autoencode.models.build import build, sizes_for
from autoencode.models.describe import formula, slots, term_unit
from autoencode.models.objective import Objective
from autoencode.models.papers import PAPERS
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load_weights
from autoencode.parts import BOTTLENECKS, CONTEXTS, SLOTS, TERMS
from autoencode.parts.networks import network_class

GREY, COLOUR, ODD, VECTOR = (16, 16), (3, 16, 20), (1, 19, 21), (20,)
CLASSES = 3


def model_of(recipe, x=GREY, seed=0):
    sizes = sizes_for(recipe, x, context=CLASSES if recipe.context else 0, n=100)
    return build(recipe, sizes, seed=seed)


def unused_parts():
    """(slot, name) of every registered part that no recipe uses."""
    used = {
        (slot.split(".")[0], spec.kind)
        for recipe in RECIPES.values()
        for slot, spec, _ in recipe.parts()
    }
    return [(slot, kind) for slot in SLOTS for kind in SLOTS[slot] if (slot, kind) not in used]


def recipe_with(slot, kind):
    """The first recipe that can be built with a part in place of its own.

    Recipes with a prior come first for parts that need one to have an effect.
    """
    part = SLOTS[slot][kind]
    with_prior = slot == "prior" or (slot == "bottleneck" and part.random)
    for base in sorted(RECIPES.values(), key=lambda base: with_prior and base.prior is None):
        if slot == "terms":
            changes = {"terms": {**base.terms, kind: Weighted(kind)}}
        else:
            changes = {slot: Spec(kind)}
        try:
            recipe = base.but(name=f"{slot}.{kind}", **changes)
            with torch.device("meta"):
                model_of(recipe, seed=None)
        except RecipeError:
            continue
        return recipe
    raise AssertionError(f'no recipe can be built with {slot} "{kind}"')


# All tests of this file run for these.
CASES = {
    **RECIPES,
    **{f"{slot}.{kind}": recipe_with(slot, kind) for slot, kind in unused_parts()},
}


def needs_images(recipe):
    try:
        with torch.device("meta"):
            model_of(recipe, VECTOR, seed=None)
    except RecipeError as error:
        return "image" in str(error)
    return False


# The two slowest shapes are of the long tests; all other tests here are of the grey one.
SHAPES = [
    pytest.param(name, x, marks=pytest.mark.long if x in (GREY, ODD) else ())
    for name, recipe in CASES.items()
    for x in (GREY, COLOUR, ODD, VECTOR)
    if x != VECTOR or not needs_images(recipe)
    if len(x) < 3 or recipe.network.kind != "conv1d"  # of series
]


def narrow(recipe):
    """The same layers, each as narrow as it can be: wide ones keep the same promises."""
    network = recipe.network
    hidden = argument_value(network_class(network.kind), network.args, "hidden") or ()
    args = {
        "hidden": (16,) * len(hidden),
        "width": 4,
    }
    for name, value in args.items():
        if f"network.{name}" in recipe.addresses():
            recipe = recipe.set(f"network.{name}", value)
    return recipe


def made(name, x=GREY):
    """A fresh model of a case, for tests that change it."""
    return model_of(narrow(CASES[name]), x)


@cache
def shared(name):
    """The model of a case in evaluation mode, for tests that leave it as it is."""
    return made(name).eval()


def context_for(model, n):
    """The labels or vectors of n examples, for a conditional model."""
    if not model.sizes.context:
        return None
    labels = torch.arange(n) % CLASSES
    vectors = CONTEXTS[model.recipe.context.kind].source == "vectors"
    return torch.eye(CLASSES)[labels] if vectors else labels


@pytest.mark.parametrize(("name", "x"), SHAPES)
def test_shapes_and_spaces(name, x):
    torch.manual_seed(0)
    model = made(name, x).eval()
    images, context, z_shape = torch.rand(5, *x), context_for(model, 5), model.sizes.z
    assert isinstance(model, Autoencoder)
    with torch.no_grad():
        codes, restored = model(images, context)
        assert codes.shape == (5, *z_shape)
        assert restored.shape == images.shape
        assert model.encoder(images, context).shape == (5, *z_shape)
        assert model.decoder(codes, context).shape == images.shape
        assert model.decode(codes, context).batch_shape == (5,)
        assert model.decode(codes, context).event_shape == x
        torch.testing.assert_close(model.decode(codes, context).mean, restored)
        assert model.decode(codes, context).log_prob(images).shape == (5,)
        drawn = model.encode(images, context, samples=4)
        assert drawn.z.shape == (4, 5, *z_shape)
        assert model.decode(drawn.z, context).mean.shape == (4, 5, *x)
        for z in (codes, drawn.z):
            if model.space is Space.BOX:
                assert z.abs().max() <= 1
            if model.space is Space.SPHERE:
                torch.testing.assert_close(z.norm(dim=-1), torch.ones(z.shape[:-1]))
        if drawn.q is not None:
            assert drawn.q.log_prob(drawn.z).shape == (4, 5)
        prior = model.prior(context)
        if prior is not None:
            shape = (7,) if context is None or not prior.batch_shape else ()
            z = prior.sample(shape)
            known = context_for(model, len(z))
            assert model.decoder(z, known).shape == (len(z), *x)
            assert prior.log_prob(z).shape == (len(z),)


@pytest.mark.parametrize("name", CASES)
def test_grey_images_come_with_and_without_their_channel(name):
    model = shared(name)
    plain, context = torch.rand(4, *GREY), context_for(model, 4)
    with_channel = plain[:, None]
    torch.testing.assert_close(model.encoder(plain, context), model.encoder(with_channel, context))
    assert model(with_channel, context).images.shape == (4, 1, *GREY)
    whole = (plain * 255).byte()
    torch.testing.assert_close(
        model.encoder(whole, context), model.encoder(whole.float() / 255, context)
    )


@pytest.mark.parametrize("name", CASES)
def test_gradients_reach_every_parameter(name):
    torch.manual_seed(0)
    model = made(name)
    objective = Objective(model, model.recipe, model.sizes)
    for _ in range(3):  # a top-k code silences some units in one batch, others in another
        output = objective(torch.rand(40, *GREY), context_for(model, 40))
        output.loss.backward()
    sampler = {id(p) for p in model.latent_sampler.parameters()} if model.recipe.sampler else set()
    theirs = {id(p) for p in objective.critics_parameters()}
    for parameter_name, parameter in objective.named_parameters():
        if id(parameter) in sampler | theirs:
            continue
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name
    if objective.critics():
        before = [None if p.grad is None else p.grad.clone() for p in objective.model_parameters()]
        objective.zero_grad()
        objective.critics_loss(output.forward_pass).backward()
        assert all(p.grad is not None for p in objective.critics_parameters())
        assert all(p.grad is None for p in objective.model_parameters()), "the model pays nothing"
        assert before


@pytest.mark.parametrize("name", CASES)
def test_terms_are_finite_and_have_a_unit(name):
    torch.manual_seed(0)
    model = made(name)
    objective = Objective(model, model.recipe, model.sizes)
    x, context = torch.rand(12, *GREY), context_for(model, 12)
    for training in (True, False):
        objective.train(training)
        with torch.set_grad_enabled(training):
            output = objective(x, context)
        assert output.loss.shape == ()
        assert all(value.isfinite() for value in [output.loss, *output.terms.values()])
        assert {term_unit(model.recipe, name) for name in output.terms} <= {"nats", ""}


@pytest.mark.parametrize("name", CASES)
def test_encode_is_deterministic_and_without_gradients_unless_training(name):
    model = made(name).eval()
    x, context = torch.rand(5, *GREY), context_for(model, 5)
    torch.testing.assert_close(
        model.encode(x, context).z, model.encode(x, context).z, rtol=0, atol=0
    )
    assert not model.encode(x, context).z.requires_grad
    assert model.train().encode(x, context).z.requires_grad


@pytest.mark.parametrize("name", CASES)
def test_codes_and_images_carry_gradients_in_training_only(name):
    torch.manual_seed(0)
    model = made(name)
    x, context = torch.rand(5, *GREY), context_for(model, 5)
    for training in (True, False):
        model.train(training)
        codes, images = model(x, context)
        z = codes.detach()
        samples = model.encode(x, context, samples=2).z
        found = [codes, images, samples, model.encode(x, context).z, model.encoder(x, context)]
        found += [model.decoder(z, context), model.decode(z, context).mean]
        assert [each.requires_grad for each in found] == [training] * len(found)


@pytest.mark.parametrize("name", CASES)
def test_images_carry_gradients_of_codes_that_require_them(name):
    model = shared(name)
    context = context_for(model, 5)
    z = model.encode(torch.rand(5, *GREY), context).z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.decoder(z, context).square().sum(), z)
    assert slope.abs().sum() > 0


@pytest.mark.parametrize("name", CASES)
def test_arrays_give_the_same_bits_as_tensors(name):
    model = shared(name)
    x, context = torch.rand(5, *GREY), context_for(model, 5)
    given = None if context is None else context.numpy()
    codes, images = model(x, context)
    for form in (x.numpy(), x.numpy().astype(">f8")):
        found = model(form, given)
        assert torch.equal(found.codes, codes)
        assert torch.equal(found.images, images)
        assert torch.equal(model.encoder(form, given), model.encoder(x, context))
    codes = codes.contiguous()  # an array is made contiguous
    assert torch.equal(model.decoder(codes.numpy(), given), model.decoder(codes, context))


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch_gives_no_codes_and_no_images(name):
    model = shared(name)
    x, context = torch.zeros(0, *GREY), context_for(model, 0)
    codes, images = model(x, context)
    assert codes.shape == model.encoder(x, context).shape == (0, *model.sizes.z)
    assert images.shape == model.decoder(codes, context).shape == (0, *GREY)


@pytest.mark.parametrize("name", CASES)
def test_values_that_are_not_finite_are_refused_outside_training(name):
    model = shared(name)
    x, context = torch.rand(5, *GREY), context_for(model, 5)
    z = model.encode(x, context).z.contiguous()
    x[3, 2, 1], z.flatten(1)[1, 0] = torch.nan, torch.inf
    for method in (model, model.encoder, model.encode):
        with pytest.raises(DataError, match="1 of these 5 examples"):
            method(x, context)
    for method in (model.decoder, model.decode):
        with pytest.raises(DataError, match="1 of these 5 codes"):
            method(z, context)


@pytest.mark.parametrize("name", CASES)
def test_same_seed_same_weights_and_global_randomness_untouched(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    recipe = narrow(CASES[name])
    first, second, other = (model_of(recipe, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    weights = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("name", CASES)
def test_weights_survive_the_disk_bit_for_bit(name, tmp_path):
    torch.manual_seed(0)
    model = made(name)
    objective = Objective(model, model.recipe, model.sizes)
    x, context = torch.rand(30, *GREY), context_for(model, 30)
    objective(x, context)  # batch statistics and code books are written in training
    write_tensors(tmp_path / "weights.safetensors", model.state_dict(), {})
    other = model_of(model.recipe, seed=1)
    load_weights(other, read_tensors(tmp_path / "weights.safetensors")[0], tmp_path)
    with torch.no_grad():
        same = zip(model.eval()(x, context), other.eval()(x, context), strict=True)
        assert all(torch.equal(a, b) for a, b in same)


@pytest.mark.parametrize("name", CASES)
def test_recipe_survives_json(name):
    recipe = CASES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("name", CASES)
def test_recipe_is_documented(name):
    row = CASES[name]
    assert row.about
    assert row.papers
    assert all(key in PAPERS for key in row.papers)
    assert formula(row).startswith("loss = ")
    assert slots(row)["network"]


@pytest.mark.parametrize("name", CASES)
def test_models_can_be_copied(name):
    model = shared(name)
    x, context = torch.rand(3, *GREY), context_for(model, 3)
    torch.testing.assert_close(copy.deepcopy(model)(x, context).images, model(x, context).images)


@pytest.mark.parametrize("name", CASES)
def test_refuses_images_and_codes_of_other_sizes(name):
    model = made(name)
    context = context_for(model, 2)
    for wrong in (torch.rand(2, 32, 32), torch.rand(2, 3, *GREY), torch.rand(*GREY)):
        with pytest.raises(DataError, match=r"\(16, 16\)"):
            model.encoder(wrong, context)
    with pytest.raises(DataError, match="uint8"):
        model.encoder(torch.zeros(2, *GREY, dtype=torch.int64), context)
    first, *rest = model.sizes.z
    for wrong in (torch.rand(2, first + 1, *rest), torch.rand(first, *rest)):
        with pytest.raises(DataError, match=re.escape(shape_words(model.sizes.z))):
            model.decoder(wrong, context)


def test_which_recipes_need_images():
    images_only = {"conv", "resnet", "transformer", "ms-ssim", "image-critic", "patch-critic"}
    images_only |= {"blur", "occlusion", "masked-patches"}
    for recipe in CASES.values():
        kinds = {spec.kind for _, spec, _ in recipe.parts()}
        assert needs_images(recipe) == bool(kinds & images_only)


@pytest.mark.parametrize("slot", SLOTS)
def test_every_part_is_tested(slot):
    tested = {
        spec.kind
        for case in CASES.values()
        for where, spec, _ in case.parts()
        if where.split(".")[0] == slot
    }
    assert tested == set(SLOTS[slot])


class NotFinite(Term):
    formula = "∞"

    def forward(self, p):
        return p.x.flatten(1).sum(1) / 0


class WrongShape(Bottleneck):
    space = Space.REAL

    def forward(self, h, samples=None):
        return Code(h if samples is None else h.expand(samples, *h.shape)[..., :-1])


class WithoutUnit(Bottleneck):
    space = Space.REAL

    def forward(self, h, samples=None):
        return Code(h, costs={"size": h.square().sum(1)})


@pytest.mark.parametrize(
    ("slot", "table", "part", "promise", "error"),
    [
        ("terms", TERMS, NotFinite, test_terms_are_finite_and_have_a_unit, AssertionError),
        (
            "bottleneck",
            BOTTLENECKS,
            WithoutUnit,
            test_terms_are_finite_and_have_a_unit,
            RecipeError,
        ),
        (
            "bottleneck",
            BOTTLENECKS,
            WrongShape,
            lambda name: test_shapes_and_spaces(name, GREY),
            AssertionError,
        ),
    ],
)
def test_a_new_part_that_breaks_a_promise_is_noticed(
    monkeypatch, slot, table, part, promise, error
):
    monkeypatch.setitem(table, "broken", part)
    assert (slot, "broken") in unused_parts()
    monkeypatch.setitem(CASES, "broken", recipe_with(slot, "broken"))
    with pytest.raises(error):
        promise("broken")


@pytest.mark.parametrize("name", ["ae", "vae", "conv-ae"])
def test_random_codes_spread_around_the_mean_code(name):
    model = made(name).eval()
    x = torch.rand(3, *GREY)
    torch.manual_seed(0)
    code = model.encode(x, samples=4000)
    torch.testing.assert_close(code.z.mean(0), model.encode(x).z, atol=0.1, rtol=0)
    spread = code.z.std(0)
    assert (spread > 0.1).all() if code.q is not None else (spread < 1e-6).all()


@pytest.mark.parametrize("name", ["ae", "conv-ae", "cvae"])
def test_context_is_seen_by_encoder_and_decoder(name):
    sizes = Sizes((28, 28), (CASES[name].latent,), context=3)
    model = build(CASES[name], sizes, seed=0).eval()
    x, context = torch.rand(4, 28, 28), torch.eye(3)[[0, 1, 2, 0]]
    codes, images = model(x, context)
    other_codes, _ = model(x, context.flip(1))
    assert not torch.allclose(codes[0], other_codes[0])
    assert not torch.allclose(
        model.decoder(codes, context)[0], model.decoder(codes, context.flip(1))[0]
    )
    assert images.shape == x.shape
    assert model.decode(codes.expand(5, *codes.shape), context).batch_shape == (5, 4)


def test_conditional_models_take_labels_and_say_when_they_miss_them():
    model = made("cvae").eval()
    x, labels = torch.rand(4, *GREY), torch.tensor([0, 1, 2, 0])
    torch.testing.assert_close(model.encoder(x, labels), model.encoder(x, torch.eye(3)[labels]))
    with pytest.raises(DataError, match="conditioned on labels"):
        model.encoder(x)
    with pytest.raises(DataError, match="3 classes"):
        model.encoder(x, labels + 1)
    with pytest.raises(DataError, match="3 numbers"):
        model.encoder(x, torch.rand(4, 2))
