"""Models that begin at PCA: against scikit-learn's PCA, and the likelihood of probabilistic PCA."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA

from autoencode import RECIPES, Sizes, Spec, build, load_data
from autoencode.data import Data, Split
from autoencode.errors import RecipeError
from autoencode.models.adaptation import for_data, share_at_ends
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe
from autoencode.models.run import load, open_run
from autoencode.train import fit
from autoencode.train.session import new_session

SMALL = {"mlp": {"hidden": (16,)}, "conv": {"width": 2, "hidden": (8,)}}
SMALL["resnet"] = SMALL["conv"]


def images(shape, n=200, seed=0):
    """Continuous images in [0, 1] that a few hidden numbers decide, with noise."""
    draw = np.random.default_rng(seed)
    values = math.prod(shape)
    x = draw.normal(size=(n, 6)) * [6, 4, 3, 2, 1, 0.5] @ draw.normal(size=(6, values))
    x = 0.5 + 0.02 * (x + 0.5 * draw.normal(size=x.shape))
    return x.clip(0.02, 0.98).astype("float32").reshape(n, *shape)


def start(recipe, data, **settings):
    """The model before the first step, in evaluation mode."""
    return new_session(recipe, data, {"steps": 1, **settings}, None, False).trainer.model.eval()


def begins_at(name="ae", network="mlp", latent=4, **changes):
    recipe = RECIPES[name].but(latent=latent, network=Spec(network, SMALL[network]))
    for address, value in changes.items():
        recipe = recipe.set(address.replace("__", "."), value)
    return recipe


def flat(x):
    return (x.double() / (255 if x.dtype == torch.uint8 else 1)).flatten(1).numpy()


def error_of_pca(train, x, d):
    pca = PCA(d, svd_solver="full").fit(flat(train))
    return ((flat(x) - pca.inverse_transform(pca.transform(flat(x)))) ** 2).sum(1).mean()


def error_of(model, x):
    return np.square(flat(model(x).images) - flat(x)).sum(1).mean()


@pytest.mark.long
@pytest.mark.parametrize("latent", [1, 4])
@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("shape", [(9, 8), (3, 8, 8), (4, 5, 7)])
def test_images_begin_at_pca(network, shape, latent):
    data = load_data(images(shape))
    model = start(begins_at(network=network, latent=latent), data)
    for part in (data.validation, data.test):
        expected = error_of_pca(data.train.x, part.x, latent)
        assert error_of(model, part.x) == pytest.approx(expected, rel=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert error_of(model, part.x) == pytest.approx(expected, rel=1e-3)
    codes = model.encode(data.train.x).z
    torch.testing.assert_close(codes.mean(0), torch.zeros(latent), atol=1e-4, rtol=0)
    torch.testing.assert_close(codes.var(0, correction=0), torch.ones(latent), atol=1e-3, rtol=0)


def test_bytes_and_many_values_too(monkeypatch):
    x = (images((3, 8, 8)) * 255).astype("uint8")
    data = load_data(x)
    expected = error_of_pca(data.train.x, data.test.x, 4)
    assert error_of(start(begins_at(), data), data.test.x) == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr("autoencode.data.principal.MAX_EXACT", 20)
    assert error_of(start(begins_at(), data), data.test.x) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("kind", ["discretised-logistic", "gaussian-heteroscedastic"])
@pytest.mark.parametrize("name", ["ae", "vae"])
def test_likelihoods_with_a_scale_of_each_value(name, kind, network):
    """The first channel gives PCA, and the scale is one that its error has."""
    data = load_data((images((3, 5, 6)) * 255).astype("uint8"))
    model = start(begins_at(name, network, likelihood=kind), data)
    q, train = model.decode(model.encode(data.train.x).z), flat(data.train.x)
    loc = (q.base_dist if kind == "gaussian-heteroscedastic" else q).loc.flatten(1).numpy()
    pca = PCA(4, svd_solver="full").fit(train)
    components = pca.transform(train)
    left_out = train.var(0).sum() - pca.explained_variance_.sum() * (1 - 1 / len(train))
    noise = left_out / (train.shape[1] - (4 if name == "vae" else 0))
    if name == "vae":  # shrunk at both sides, by √(1 − σ²/λ)
        components *= 1 - noise / (pca.explained_variance_ * (1 - 1 / len(train)))
    np.testing.assert_allclose(loc, pca.inverse_transform(components), atol=1e-4)
    deviation = q.stddev if kind == "gaussian-heteroscedastic" else logistic_deviation(q)
    np.testing.assert_allclose(deviation, math.sqrt(noise), rtol=1e-3)


def logistic_deviation(q):
    return q.log_scale.exp() * math.pi / math.sqrt(3)


def test_a_scale_that_the_recipe_gives():
    """Components with less variance than that of the scale stay at the prior."""
    data = load_data((images((5, 6)) * 255).astype("uint8"))
    recipe = begins_at("vae", likelihood="discretised-logistic", likelihood__scale=0.2)
    model = start(recipe, data)
    variances = PCA(4, svd_solver="full").fit(flat(data.train.x)).explained_variance_
    used = variances > 0.2**2 * math.pi**2 / 3
    assert 0 < used.sum() < 4
    assert ((model.encode(data.test.x).q.base_dist.scale < 1).all(0).numpy() == used).all()
    assert model.decoder.likelihood.log_scale.exp().item() == pytest.approx(0.2)


@pytest.mark.parametrize("load_table", [load_wine, load_breast_cancer, load_diabetes])
@pytest.mark.parametrize("latent", [2, 7])
def test_tables_begin_at_pca(load_table, latent):
    data = load_data(load_table(as_frame=True).data)
    model = start(begins_at(latent=latent), data)
    expected = error_of_pca(data.train.x, data.test.x, latent)
    assert error_of(model, data.test.x) == pytest.approx(expected, rel=1e-4)


def test_as_many_dimensions_as_values_or_more():
    data = load_data(load_diabetes(as_frame=True).data)
    for latent in (10, 13):
        model = start(begins_at(latent=latent), data)
        assert error_of(model, data.test.x) == pytest.approx(0, abs=1e-6)
        assert model.encode(data.test.x).z[:, 10:].abs().sum() == 0


def test_constant_values_and_few_examples():
    x = images((5, 6), n=12)
    x[:, 2] = 0.5
    data = load_data(x)
    model = start(begins_at(latent=25), data)
    expected = error_of_pca(data.train.x, data.test.x, len(data.train) - 1)
    assert error_of(model, data.test.x) == pytest.approx(expected, rel=1e-3)


def test_missing_cells_are_the_mean():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 3)) @ draw.normal(size=(3, 8)) + 5
    x[draw.random(x.shape) < 0.1] = np.nan
    data = load_data(x, scale="standard")
    model = start(begins_at(latent=3), data)
    train, test = (
        torch.where(part.x.isnan(), data.train.x.nanmean(0), part.x).double().numpy()
        for part in (data.train, data.test)
    )
    pca = PCA(3, svd_solver="full").fit(train)
    expected = pca.inverse_transform(pca.transform(test))
    np.testing.assert_allclose(model(data.test.x).images, expected, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["gaussian", "gaussian-learned"])
@pytest.mark.parametrize("network", SMALL)
def test_a_vae_begins_with_the_likelihood_of_probabilistic_pca(network, kind):
    """q(z|x) is the exact posterior, so that p(x, z) / q(z|x) is p(x) for every z."""
    data, d = load_data(images((3, 6, 6), n=400)), 3
    model = start(begins_at("vae", network, d, likelihood=kind), data)
    x = flat(data.train.x)
    covariance = np.cov(x.T, ddof=0)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    # A fixed scale of √½ has a variance of ½, above which few components are here.
    noise = 0.5 if kind == "gaussian" else values[d:].mean()
    gained = (vectors[:, :d] * (values[:d] - noise).clip(0)) @ vectors[:, :d].T
    model_covariance = gained + noise * np.eye(len(values))
    expected = multivariate_normal(x.mean(0), model_covariance).logpdf(flat(data.test.x))
    torch.manual_seed(0)
    code = model.encode(data.test.x, samples=3)
    found = model.decode(code.z).log_prob(data.test.x) + model.prior().log_prob(code.z)
    found = found - code.q.log_prob(code.z)
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), rtol=1e-3, atol=0.05)
    if kind == "gaussian-learned":
        best = PCA(d).fit(x).score(x)
        mean = model.decode(z := model.encode(data.train.x).z).log_prob(data.train.x)
        assert torch.isfinite(z).all()
        assert mean.mean() > best
        ours = multivariate_normal(x.mean(0), model_covariance).logpdf(x).mean()
        assert ours == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("kind", ["gaussian", "gaussian-learned"])
def test_the_start_of_a_vae_is_an_optimum(weight, kind):
    """No change of gains, of posterior variances or of σ lowers the exact expected loss."""
    data, d = load_data(images((6, 6), n=300)), 3
    changes = {"likelihood__scale": 0.1} if kind == "gaussian" else {}
    model = start(
        begins_at("vae", "mlp", d, likelihood=kind, terms__kl__weight=weight, **changes), data
    )
    x = data.train.x
    with torch.no_grad():
        q = model.encode(x).q.base_dist
        centre = model.decode(torch.zeros(1, d)).mean.flatten()
        columns = model.decode(torch.eye(d)).mean.flatten(1) - centre
        noise = model.decode(torch.zeros(1, d)).scale.square()

        def loss(gain=1.0, back=1.0, spread=1.0, sigma=1.0):
            mean, deviation, w = q.loc * gain, q.scale * spread, columns * back
            error = (x.flatten(1) - centre - mean @ w).square().sum(1)
            error = error + (deviation.square() @ w.square()).sum(1) + 0
            variance = noise * sigma
            nll = error / (2 * variance) + 0.5 * x[0].numel() * torch.log(variance)
            kl = 0.5 * (mean.square() + deviation.square() - 1 - 2 * deviation.log()).sum(1)
            return (nll + weight * kl).mean().item()

        lowest = loss()
        assert (columns.norm(dim=1) > 0.01).any()
        names = ["gain", "back", "spread", *(["sigma"] if kind == "gaussian-learned" else [])]
        for name in names:
            for factor in (0.97, 1.03):
                assert loss(**{name: factor}) > lowest - 1e-4


def test_components_below_the_noise_stay_at_the_prior():
    data = load_data(images((6, 6)))
    model = start(begins_at("vae", latent=5, likelihood="gaussian"), data)
    q = model.encode(data.test.x).q.base_dist
    used = (q.scale < 1).all(0)
    assert 0 < used.sum() < 5
    assert torch.equal(q.loc[:, ~used], torch.zeros_like(q.loc[:, ~used]))
    assert torch.equal(q.scale[:, ~used], torch.ones_like(q.scale[:, ~used]))


def test_a_conditional_model_begins_at_pca_for_every_label():
    x = images((5, 6))
    data = load_data((x, np.arange(len(x)) % 3))
    model = start(begins_at("ae", latent=3).set("context", "labels"), data)
    expected = error_of_pca(data.train.x, data.test.x, 3)
    for label in range(3):
        found = model(data.test.x, torch.full((len(data.test),), label)).images
        error = (found - data.test.x).square().flatten(1).sum(1).mean().item()
        assert error == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("network", SMALL)
def test_no_weight_of_the_layers_is_without_a_gradient(network):
    data = load_data(images((3, 8, 8)))
    recipe = begins_at(network=network)
    trainer = new_session(recipe, data, {"steps": 3, "batch_size": 50}, None, False).trainer
    model = trainer.model.train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    for _ in range(3):
        trainer.update()
        trainer.state.step += 1
    for name, p in model.named_parameters():
        # Batch normalisation removes a bias before it.
        assert not torch.equal(p, before[name]) or name.endswith("bias"), name
    buffers = dict(model.named_buffers())
    assert {name.rsplit(".", 1)[1] for name in buffers} >= {"axes", "centre"}


@pytest.mark.parametrize("lr", [1e-3, 1.0])
def test_the_weights_that_are_kept_are_not_worse_than_pca(lr):
    """Even a learning rate that destroys the model leaves PCA."""
    data = load_data(images((6, 5)))
    model = fit(begins_at(latent=2), data, steps=40, lr=lr, progress=False).model
    expected = error_of_pca(data.train.x, data.validation.x, 2)
    assert error_of(model, data.validation.x) <= expected * (1 + 1e-5)


def test_what_the_data_decide():
    photographs = load_data(images((3, 8, 8)))
    drawings = load_data((images((3, 8, 8)) > 0.5).astype("float32"))
    assert share_at_ends(photographs.train.x) == 0
    assert share_at_ends(drawings.train.x) == 1
    recipe, (notice,) = for_data(RECIPES["conv-ae"], photographs)
    assert recipe.network.args["linear"] == "pca"
    assert recipe.likelihood.args["mean"] == "identity"
    assert "network.linear=pca" in notice
    assert "likelihood.mean=identity" in notice
    assert for_data(RECIPES["ae"], drawings) == (RECIPES["ae"], [])


@pytest.mark.parametrize(
    "name",
    ["ae-linear", "ae-shallow", "denoising-ae", "vq-vae", "ladder-vae", "vae-gan", "m2"],
)
def test_recipes_that_continuous_images_leave_alone(name):
    """No hidden layers, a corruption, discrete codes, another model."""
    pixels = (255 * images((8, 8))).round().astype("uint8")
    recipe, _ = for_data(RECIPES[name], load_data(pixels))
    assert recipe.but(likelihood=RECIPES[name].likelihood) == RECIPES[name]
    assert recipe.likelihood.args == RECIPES[name].likelihood.args


@pytest.mark.parametrize("name", ["vae", "beta-vae", "conv-vae", "cvae", "vamp-vae"])
def test_a_vae_of_bytes_begins_at_pca(name):
    """The mean of its likelihood is linear in the decoder's output, so that no mean is set."""
    data = load_data((255 * images((3, 8, 8))).round().astype("uint8"))
    recipe, notices = for_data(RECIPES[name], data)
    assert recipe.likelihood == Spec("discretised-logistic")
    assert recipe.network.args["linear"] == "pca"
    assert "linear path (network.linear=pca), and the weights" in notices[-1]
    mixture = RECIPES[name].set("likelihood", "discretised-logistic-mixture")
    assert for_data(mixture, data) == (mixture, [])


def test_vectors_are_left_alone():
    assert for_data(RECIPES["ae"], load_data(images((30,)))) == (RECIPES["ae"], [])


def test_what_the_recipe_sets_is_kept():
    data = load_data(images((8, 8)))
    for address, value in (("network.linear", "none"), ("likelihood.mean", "sigmoid")):
        recipe = RECIPES["ae"].set(address, value)
        assert for_data(recipe, data) == (recipe, [])
    recipe, (notice,) = for_data(RECIPES["ae"].set("network.linear", "pca"), load_data("digits"))
    assert recipe.likelihood.args["mean"] == "identity"
    assert "likelihood.mean=identity" in notice


def words_of(fix):
    """The changes that the first alternative of an error's fix names."""
    first = fix.split(", ")[0].split(" (")[0].rstrip(".")
    return [word.split("=", 1) for word in first.split() if "=" in word]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("vae", {}),
        ("ae", {"likelihood": "laplace", "likelihood.mean": "sigmoid"}),
        ("ae", {"likelihood": "ms-ssim"}),
        ("ae-linear", {}),
        ("sparse-top-k", {"network.hidden": (16,)}),
        ("ae", {"bottleneck": "rectified"}),
        ("ae", {"bottleneck": "squashed"}),
        ("planar-vae", {"likelihood": "gaussian"}),
        ("ladder-vae", {"likelihood": "gaussian"}),
        ("m2", {"likelihood": "gaussian"}),
        ("m1-m2", {"likelihood": "gaussian"}),
        ("conv-ae", {"network.code": "map", "likelihood.mean": "identity"}),
    ],
)
def test_what_cannot_begin_at_pca_is_refused_with_a_fix_that_works(name, changes):
    recipe = RECIPES[name].set("network.linear", "pca")
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    sizes = Sizes((8, 8), (4,), context=3 if recipe.context else 0)
    with pytest.raises(RecipeError, match=r"PCA|linear path") as caught:
        build(recipe.but(latent=4), sizes)
    for address, value in words_of(caught.value.fix):
        recipe = recipe.set(address, (int(value),) if value.isdecimal() else value)
    if "mean" not in recipe.likelihood.args:  # `fit` sets it, and says so
        recipe = recipe.set("likelihood", "gaussian").set("likelihood.mean", "identity")
    build(recipe.but(latent=4), sizes)
    build(RECIPES[name].but(latent=4), sizes)


def test_a_run_with_the_old_name_opens(tmp_path):
    data = load_data(load_wine(as_frame=True).data)
    for linear, skip in (("random", True), ("none", False)):
        folder = tmp_path / linear
        recipe = begins_at(network__linear=linear)
        model = fit(recipe, data, steps=3, out=folder, progress=False).model
        saved = json.loads((folder / "recipe.json").read_text())
        assert saved["network"]["args"].pop("linear") == linear
        saved["network"]["args"]["skip"] = skip
        (folder / "recipe.json").write_text(json.dumps(saved))
        assert open_run(folder).recipe.network.args["linear"] == linear
        assert torch.equal(load(folder)(data.test.x).images, model(data.test.x).images)
    old = Spec("mlp", {"hidden": (), "skip": True})
    given = {**RECIPES["ae"].to_dict(), "network": {"kind": "mlp", "args": dict(old.args)}}
    assert Recipe.from_dict(given).network.args["linear"] == "none"


def test_a_run_of_an_older_version_may_be_the_beginning(tmp_path):
    """What the data would decide is as in the run whose weights training starts from."""
    data = load_data(images((6, 5)))
    quick = {"steps": 2, "progress": False}
    for linear in ("none", "pca"):
        first = fit(begins_at(network__linear=linear), data, out=tmp_path / linear, **quick)
        on = fit(begins_at(), data, init=str(tmp_path / linear), lr=0.0, **quick)
        assert on.model.recipe.network.args["linear"] == linear
        torch.testing.assert_close(on.model(data.test.x).images, first.model(data.test.x).images)


def test_without_training_the_path_is_random_and_not_dead():
    model = build(
        begins_at(likelihood__mean="identity", network__linear="pca"), Sizes((8, 8), (4,))
    )
    x = torch.rand(3, 8, 8)
    codes, again = model(x)
    assert codes.std() > 0
    assert again.std() > 0
    Objective(model, model.recipe, model.sizes)(x).loss.backward()
    assert model.encoder.network.shortcut.mix.weight.grad.abs().sum() > 0


def test_dynamic_bits_are_drawn_for_pca():
    x = torch.from_numpy(images((6, 5)))
    parts = [Split(each, None, random=random) for each, random in ((x, True), (x, False))]
    data = Data("bits", "", {}, parts[0], parts[1], parts[1], classes=(), fingerprint="")
    recipe = begins_at(network__linear="pca", likelihood__mean="identity")
    assert torch.isfinite(start(recipe, data)(x).images).all()
    assert for_data(begins_at(), data) == (begins_at(), [])
    assert for_data(begins_at(), replace(data, train=parts[1]))[1]


@pytest.mark.parametrize("latent", [2, 3, 4, 9])
@pytest.mark.parametrize("name", ["ae", "vae", "missing-iwae"])
def test_rows_with_gaps_begin_at_pca_with_any_number_of_codes(name, latent):
    x = images((3,), n=60)
    x[::5, 0] = np.nan
    data = load_data(pd.DataFrame(x, columns=list("abc")))
    model = fit(RECIPES[name].but(latent=latent), data, steps=1, lr=1e-9, progress=False).model
    assert model.recipe.network.args["linear"] == "pca"
    rows = data.validation.x
    filled = torch.where(rows.isnan(), data.train.x.nanmean(0), rows)
    principal = PCA(min(latent, 3)).fit(torch.where(data.train.x.isnan(), 0, data.train.x))
    known = ~rows.isnan()
    error = (model.decode(model.encode(rows).z).mean - rows)[known].square().sum()
    expected = filled - torch.from_numpy(principal.inverse_transform(principal.transform(filled)))
    if name == "ae":  # a posterior shrinks its means
        assert error.item() == pytest.approx(expected[known].square().sum().item(), abs=0.02)
    assert error < (rows - data.train.x.nanmean(0))[known].square().sum()


@pytest.mark.parametrize(("latent", "weight"), [(3, 1.0), (3, 0.0), (2, 0.0), (5, 1.0)])
def test_a_posterior_is_finite_where_components_leave_nothing_out(latent, weight):
    data = load_data(pd.DataFrame(images((3,)), columns=list("abc")))
    recipe = RECIPES["vae"].but(latent=latent).set("terms.kl.weight", weight)
    model = fit(recipe, data, steps=2, progress=False).model
    q = model.encode(torch.from_numpy(images((3,)))).q
    assert q.mean.isfinite().all()
    assert (q.stddev > 0).all()
