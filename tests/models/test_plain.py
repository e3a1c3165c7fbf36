"""Listings in plain PyTorch give the loss and the gradients of the package's models."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import autoencode as ae
from autoencode.errors import RecipeError
from autoencode.models.build import build, parameter_count, sizes_for
from autoencode.models.objective import Objective
from autoencode.models.plain.listing import COPY, plain_code, plain_recipes
from autoencode.models.recipe import Spec, Weighted
from autoencode.models.recipes.table import RECIPES

CLASSES = 10
PLAIN = plain_recipes()
COURSE = (
    "ae ae-shallow ae-linear ae-deep ae-funnel ae-dropout conv-ae vae conv-vae beta-vae "
    "denoising-ae conv-denoising-ae denoising-vae contractive-ae sparse-l1 sparse-kl sparse-top-k "
    "cvae wae-mmd swae uniform-vae mog-vae"
).split()


def executed(recipe, x=(28, 28)):
    """The names that a listing defines; the script must be complete."""
    names = {}
    exec(compile(plain_code(recipe, x, CLASSES), f"{recipe.name}.py", "exec"), names)
    return names


def compare(recipe, x=(28, 28), n=12):
    """Loss, gradients, codes and images of the listing and of the package, in float64."""
    sizes = sizes_for(recipe, x, context=CLASSES if recipe.context else 0, n=1000)
    ours = build(recipe, sizes, seed=3).double()
    objective = Objective(ours, recipe, sizes).double()
    objective.train()
    names = executed(recipe, x)
    model = names["Autoencoder"]().double()
    # A sampler is fitted after training, and no part of the listing.
    fitted = 0 if ours.latent_sampler is None else parameter_count(ours.latent_sampler)
    assert parameter_count(model) == parameter_count(ours) - fitted
    # The line of the listing that copies the weights of a run.
    load = {"model": model, "ae": type("Runs", (), {"load": staticmethod(lambda run: ours)})}
    exec(COPY, load)
    draw = torch.Generator().manual_seed(5)
    images = torch.rand(n, *x, generator=draw, dtype=torch.float64)
    given = ()
    if recipe.context is not None:
        labels = torch.randint(CLASSES, (n,), generator=draw)
        given = (torch.nn.functional.one_hot(labels, CLASSES).double(),)

    torch.manual_seed(11)
    expected = objective(images, *given).loss
    torch.manual_seed(11)
    loss = names["loss_of"](model, images, *given)
    # Relative to the loss: the scale of the Gaussian likelihood is a buffer of float32.
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    expected.backward()
    loss.backward()
    pairs = list(zip(model.named_parameters(), ours.parameters(), strict=False))
    assert len(pairs) == len(list(model.parameters()))
    largest = max(q.grad.abs().max() for _, q in pairs if q.grad is not None)
    for (name, p), q in pairs:
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-6, atol=1e-6 * float(largest))
    assert largest > 1e-3

    # Again: the running statistics of `EvenBatchNorm` are averaged in another way.
    exec(COPY, load)
    model.eval()
    ours.eval()
    with torch.no_grad():
        codes, decoded = model(images, *given)
        result = ours(images, *given)
    torch.testing.assert_close(codes, result.codes, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(decoded, result.images, rtol=1e-6, atol=1e-8)


def test_the_course_has_listings():
    assert set(COURSE) <= set(PLAIN)


@pytest.mark.parametrize("name", PLAIN)
def test_recipes(name):
    compare(RECIPES[name])


@pytest.mark.parametrize(
    ("name", "latent", "x"),
    [
        ("ae", 1, (3, 8, 8)),
        ("vae", 5, (3, 9, 7)),
        ("conv-vae", 3, (3, 20, 13)),
        ("conv-ae", 16, (1, 12, 12)),
        ("ae-deep", 7, (6,)),
        ("cvae", 2, (3, 8, 8)),
        ("uniform-vae", 4, (5, 5)),
        ("sparse-top-k", 80, (3, 6, 6)),
        ("contractive-ae", 3, (3, 6, 6)),
        ("wae-mmd", 2, (30,)),
        ("denoising-vae", 1, (4, 11)),
        ("two-stage-vae", 3, (3, 8, 8)),
    ],
)
def test_sizes(name, latent, x):
    compare(RECIPES[name].but(latent=latent), x)


def with_values(name, **values):
    recipe = RECIPES[name]
    for address, value in values.items():
        recipe = recipe.set(address.replace("__", "."), value)
    return recipe


@pytest.mark.parametrize(
    "recipe",
    [
        # Feature maps as codes.
        with_values("conv-vae", network__code="map", latent=3),
        with_values("conv-ae", network__code="map", network__norm="layer", latent=2),
        with_values("conv-ae", network__code="map", bottleneck="top-k", latent=4),
        with_values("vae-mixture", network="conv", network__code="map", prior="mixture"),
        with_values("free-bits-vae", network="conv", network__code="map", latent=2),
        # Conditional convolutions.
        with_values("cvae", network="conv"),
        RECIPES["conv-ae"].but(context=Spec("vectors")),
        # Other likelihoods, activations and corruptions.
        with_values("vae", likelihood="laplace", likelihood__scale=0.3),
        with_values("vae", likelihood="gaussian", likelihood__scale=0.1),
        with_values("ae", likelihood="gaussian-learned", likelihood__scale=0.2),
        with_values("ae", network__hidden=(40, 30), network__activation="gelu"),
        with_values("ae", corruption="masking"),
        with_values("vae", corruption="salt-and-pepper", terms__kl__weight=0.5),
        # Terms together, one with the name of a function, and exact and estimated Jacobians.
        with_values("wae-mmd", terms__mmd="mmd", terms__match=None, terms__l1="l1"),
        with_values("contractive-ae", latent=2, network__norm="batch", terms__s="decoder-smooth"),
        with_values("capacity-vae", terms__kl__capacity=2.5),
        with_values("free-bits-vae", terms__kl__groups=5, terms__kl__nats=0.01),
        with_values("vae", prior="mixture", prior__components=3, prior__spread=2.0),
        with_values("sparse-top-k", bottleneck__norm="none", bottleneck__k=3),
        with_values("ae", prior="uniform", bottleneck="squashed", terms__m="sliced-wasserstein"),
        RECIPES["vae"].but(terms={**RECIPES["vae"].terms, "lambda": Weighted("l2", {}, 0.3)}),
    ],
    ids=lambda recipe: recipe.name,
)
def test_other_parts(recipe):
    compare(recipe, (12, 12))


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in RECIPES if name not in PLAIN])
def test_parts_without_a_listing_are_named(name):
    recipe = RECIPES[name]
    with pytest.raises(RecipeError, match="no form in plain PyTorch") as refusal:
        plain_code(recipe)
    slots = {spec.kind for _, spec, _ in recipe.parts()} | {recipe.model.kind, "samples"}
    assert any(kind in refusal.value.what for kind in slots)
    # The fix names recipes that work as written.
    assert refusal.value.fix.endswith(f"{', '.join(PLAIN)}.")


@pytest.mark.parametrize(
    "recipe",
    [
        with_values("ae", network__linear="random"),
        with_values("cvae", prior="mixture"),
        with_values("vae", prior="mixture", terms__m="mmd"),
        with_values("conv-ae", corruption="occlusion"),
        with_values("cvae", network="conv", network__code="map"),
        replace(
            RECIPES["wae-mmd"],
            terms={"a": Weighted("mmd"), "b": Weighted("mmd", {"kernel": "rbf"})},
        ),
    ],
)
def test_arguments_without_a_listing_are_named(recipe):
    with pytest.raises(RecipeError, match="no form in plain PyTorch"):
        plain_code(recipe)


@pytest.mark.parametrize("x", [(), (1, 2, 3, 4), (0, 3), (2.5,), "28"])
def test_shapes_are_checked(x):
    with pytest.raises(RecipeError):
        plain_code(RECIPES["ae"], x)


def test_nothing_is_left_out_silently():
    code = plain_code(RECIPES["mog-vae"])
    assert "terms.kl.weight changes from 0.3" in code
    assert "After 4,000 steps of training the package fits the prior" in code
    assert 'sampler "mixture"' in plain_code(RECIPES["ae-mixture"])
    assert "lr 0.003, warmup 300" in plain_code(RECIPES["cvae"])


def test_copies_are_exact_only_with_the_right_weights():
    """The comparison can fail: a KL term of twice the weight gives another loss."""
    recipe = RECIPES["vae"]
    names = executed(recipe.set("terms.kl.weight", 2.0))
    model = ae.build(recipe, sizes_for(recipe, (28, 28)), seed=0)
    plain = names["Autoencoder"]()
    plain.load_state_dict(dict(zip(plain.state_dict(), model.state_dict().values(), strict=True)))
    x = torch.rand(4, 28, 28)
    torch.manual_seed(0)
    expected = Objective(model, recipe, model.sizes)(x).loss
    torch.manual_seed(0)
    assert abs(names["loss_of"](plain, x) - expected) > 1e-4


def test_listings_are_clean(tmp_path):
    """No unused names, no undefined ones, the format of the package's own code."""
    for name in PLAIN:
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(plain_code(RECIPES[name]))
    for arguments in (["check", "--select", "E,F,I"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--line-length", "100", "--isolated"]
        found = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
        assert not found.returncode, found.stdout
