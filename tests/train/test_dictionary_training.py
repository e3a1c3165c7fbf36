"""Trainings of sparse codes: on vectors, at the mean of the data, resumed, and in bfloat16."""

import numpy as np
import pytest
import torch

from autoencode.data import load_data, scaled
from autoencode.errors import Interrupted
from autoencode.evaluation import evaluate
from autoencode.models.adaptation import for_data
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load
from autoencode.train import fit, resume
from autoencode.train.trainer import Trainer

SPARSE = ["sparse-top-k", "sparse-batch-top-k", "sparse-jump-relu", "sparse-gated"]
NEW = ["sparse-jump-relu", "sparse-gated", "sparse-matryoshka"]


def sums_of_directions(n=3_000, values=24, features=48, k=3, seed=0):
    """Vectors [n, values], each the sum of k of the unit vectors [features, values]."""
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=(features, values))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.argsort(draw.random((n, features)), 1)[:, :k]
    sizes = draw.uniform(0.5, 1.5, (n, k))
    return np.einsum("nk,nkd->nd", sizes, directions[chosen]).astype("f4"), directions


def unit_range(x):
    return (x - x.min()) / (x.max() - x.min())


def trained(name, source, steps=60, latent=48, k=3, options=(), **settings):
    recipe = RECIPES[name].but(latent=latent)
    for address, value in dict(options).items():
        recipe = recipe.set(address, value)
    if "bottleneck.k" in recipe.addresses():
        recipe = recipe.set("bottleneck.k", k)
    return fit(recipe, source, steps=steps, progress=False, **settings)


def unexplained(model, data):
    x = scaled(data.test.x)
    error = (model(x).images - x).square().sum()
    return (error / (x - scaled(data.train.x).mean(0)).square().sum()).item()


# What vectors change


@pytest.mark.parametrize("name", ["sparse-top-k", "sparse-batch-top-k"])
@pytest.mark.parametrize("options", [{}, {"scale": "standard"}, {"scale": "minmax"}])
def test_vectors_get_a_dictionary(name, options):
    x, _ = sums_of_directions(200)
    data = load_data(x if options else unit_range(x), **options)
    recipe, notices = for_data(RECIPES[name], data)
    assert recipe.network.kind == "dictionary"
    assert recipe.bottleneck == Spec(RECIPES[name].bottleneck.kind, {"norm": "none"})
    assert recipe.terms["aux-k"].weight == 1
    assert recipe.likelihood.kind == "table" or recipe.likelihood.args["mean"] == "identity"
    assert "--set bottleneck.norm=batch" in notices[0]
    # The fix of the notice works as written.
    kept, notices = for_data(RECIPES[name].set("bottleneck.norm", "batch"), data)
    assert kept.network.kind == "mlp"
    assert "aux-k" not in kept.terms
    assert not any("dictionary" in notice for notice in notices)


def test_what_a_sparse_recipe_sets_itself_is_kept():
    data = load_data(unit_range(sums_of_directions(200)[0]))
    base = RECIPES["sparse-top-k"]
    for address, value in {"network.hidden": (8,), "context": "vectors"}.items():
        assert for_data(base.set(address, value), data) == (base.set(address, value), [])
    recipe = base.set("training.lr", 0.5).set("terms.aux-k", "aux-k").set("bottleneck.k", 7)
    recipe = recipe.set("terms.aux-k.weight", 0.3)
    adapted, _ = for_data(recipe.set("likelihood.mean", "sigmoid"), data)
    assert adapted.training["lr"] == 0.5
    assert adapted.terms["aux-k"].weight == 0.3
    assert adapted.bottleneck.args["k"] == 7
    assert adapted.likelihood.args["mean"] == "sigmoid"


def test_images_keep_their_recipe(digits):
    for name in SPARSE:
        assert for_data(RECIPES[name], digits) == (RECIPES[name], [])


# Where training starts

MEANS = [
    ("ae-shallow", {"likelihood.mean": "identity"}),
    ("ae", {"likelihood.mean": "identity", "network.hidden": (32,)}),
    ("ae", {"likelihood": "laplace", "likelihood.mean": "identity"}),
    ("ae", {"likelihood": "gaussian-learned", "likelihood.mean": "identity"}),
    ("vae", {"likelihood": "gaussian", "likelihood.mean": "identity"}),
    ("conv-ae", {"likelihood.mean": "identity"}),
    ("conv-ae", {"likelihood.mean": "identity", "network.code": "map"}),
    ("ae", {"likelihood.mean": "identity", "network": "resnet"}),
    ("sparse-top-k", {"likelihood.mean": "identity"}),
    ("sparse-jump-relu", {}),
]


@pytest.mark.parametrize(("name", "options"), MEANS)
def test_outputs_that_are_means_start_around_the_mean_example(name, options, digits):
    result = trained(name, digits, steps=1, latent=8, k=2, options=options, lr=0.0)
    x = scaled(digits.train.x)
    images = result.model.train()(x[:400]).images.detach()
    offset = images.mean() - x.mean()
    assert offset.abs() < 0.5 * x.mean()
    other = trained(name, digits, steps=1, latent=8, k=2, options=options, lr=0.0, seed=1)
    assert not torch.equal(other.model.eval()(x[:9]).images, result.model.eval()(x[:9]).images)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sparse-top-k", {"bottleneck.norm": "batch", "likelihood.mean": "identity"}),
        ("sparse-batch-top-k", {"bottleneck.norm": "batch", "likelihood.mean": "identity"}),
        ("ae-shallow", {"likelihood.mean": "identity"}),
        ("ae", {"likelihood.mean": "identity"}),
        ("sparse-top-k", {}),
        ("sparse-batch-top-k", {}),
        *((name, {}) for name in NEW),
    ],
)
def test_a_short_training_beats_the_mean_example_on_data_in_the_unit_range(name, options):
    """Values around 0.5 that vary little; outputs that start at 0 need hundreds of steps."""
    data = load_data(unit_range(sums_of_directions()[0]))
    result = trained(name, data, steps=200, options=options)
    assert unexplained(result.model, data) < 0.9


# Evaluation


@pytest.mark.long
@pytest.mark.parametrize("which", ["digits", "vectors", "table"])
def test_batch_top_k_has_k_active_units_in_evaluation_after_300_steps(which, digits):
    x, _ = sums_of_directions(8_000)
    data = {
        "digits": digits,
        "vectors": load_data(unit_range(x)),
        "table": load_data(1e3 * x + 7, scale="standard"),
    }[which]
    model = trained("sparse-batch-top-k", data, steps=300, latent=96, k=4).model
    active = (model.encode(scaled(data.test.x)).z != 0).sum(1).float().mean().item()
    assert active == pytest.approx(4, rel=0.1)


@pytest.mark.long
@pytest.mark.parametrize("name", [*SPARSE, "sparse-matryoshka"])
def test_the_directions_of_the_data_are_found(name):
    x, directions = sums_of_directions(12_000, 64, 96)
    data = load_data(unit_range(x))
    model = trained(name, data, steps=600, latent=96, batch_size=100).model
    learned = model.decoder.network.directions.detach().double()
    found = ((torch.from_numpy(directions) @ learned.T).max(1).values > 0.9).double().mean()
    z = model.encode(scaled(data.test.x)).z
    assert found > (0.9 if name == "sparse-top-k" else 0.75)
    assert (z != 0).any(0).double().mean() > 0.93
    assert unexplained(model, data) < 0.35
    assert 2.0 < (z != 0).sum(1).double().mean() < 4.5


@pytest.mark.parametrize("name", ["sparse-top-k", "sparse-l1", "sparse-kl", *NEW])
def test_figures_of_sparse_codes_by_hand(name, digits):
    result = trained(name, digits, steps=5, latent=30, k=2)
    found = evaluate(result.model, digits).to_dict()
    x = scaled(digits.test.x)
    z = result.model.encode(x).z.numpy()
    active = 1 / (1 + np.exp(-z)) > 0.5 if name == "sparse-kl" else z != 0
    never = sum(not any(row[j] for row in active) for j in range(30)) / 30
    assert found["dead_share"] == pytest.approx(never)
    assert found["active_per_example"] == pytest.approx(active.sum(1).mean())
    assert found["unexplained_variance"] == pytest.approx(
        unexplained(result.model, digits), rel=1e-4
    )


def test_other_models_have_no_such_figures(digits):
    found = evaluate(trained("ae", digits, steps=1, latent=2).model, digits).to_dict()
    assert not {"dead_share", "unexplained_variance"} & found.keys()


# Resuming and precision


def norms(model):
    return model.decoder.network.directions.norm(dim=1)


@pytest.mark.long
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", ["sparse-top-k", *NEW])
def test_directions_stay_units_through_resuming(name, precision, tmp_path, monkeypatch):
    x = unit_range(sums_of_directions(300)[0])
    np.save(tmp_path / "x.npy", x)
    settings = {"precision": precision, "checkpoint_every": 5, "lr": 0.1}
    whole = trained(name, str(tmp_path / "x.npy"), 20, out=tmp_path / "whole", **settings)
    update = Trainer.update

    def stopping(trainer):
        if trainer.step == 12:
            trainer.interrupt(2)
        return update(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stopping)
        with pytest.raises(Interrupted):
            trained(name, str(tmp_path / "x.npy"), 20, out=tmp_path / "parts", **settings)
    again = resume(tmp_path / "parts", progress=False)
    opened = load(tmp_path / "parts")
    for model in (whole.model, again.model, opened):
        torch.testing.assert_close(norms(model), torch.ones(48), rtol=1e-6, atol=1e-6)
    for a, b in zip(whole.model.state_dict().values(), opened.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    moved = whole.model.decoder.network.weight.norm(dim=1)
    assert (moved - 1).abs().max() > 0.01  # it is not the stored weights that have norm 1
