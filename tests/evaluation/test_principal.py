"""PCA beside the reconstruction error: fitted to the training part, measured on the test part."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from autoencode.data import Data, Split, principal
from autoencode.data.principal import mean_example, principal_axes
from autoencode.errors import DataError
from autoencode.evaluation import MetricsCache, evaluate, squared_error
from autoencode.evaluation.measures import principal as measure
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit

QUICK_TWO = ["reconstruction", "pca"]


def flat(x):
    x = x.double().flatten(1).numpy()
    return x / 255 if x.max() > 1 else x


def errors_by_sklearn(train, test, d):
    pca = PCA(d).fit(flat(train))
    again = pca.inverse_transform(pca.transform(flat(test)))
    return ((flat(test) - again) ** 2).sum(1)


@pytest.mark.parametrize(
    ("shape", "latent"), [((6, 5), 1), ((6, 5), 7), ((3, 9, 8), 4), ((11,), 10), ((40,), 2)]
)
def test_errors_are_those_of_sklearn(shape, latent, make_model, make_data):
    data = make_data(shape)
    found = evaluate(make_model("ae", shape, latent), data, QUICK_TWO)
    expected = errors_by_sklearn(data.train.x, data.test.x, latent)
    assert found["squared_error_of_pca"] == pytest.approx(expected.mean(), rel=1e-5)
    assert found["pca_dimensions"] == latent
    each = found.per_example()
    np.testing.assert_allclose(each["squared_error_of_pca"], expected, rtol=1e-4)
    above = each["squared_error"] - each["squared_error_of_pca"]
    torch.testing.assert_close(each["squared_error_above_pca"], above)
    low, high = found.to_dict()["intervals"]["squared_error_above_pca"]
    assert low < found["squared_error_above_pca"] < high
    json.dumps(found.to_dict(), allow_nan=False)


def test_digits(digits):
    axes = principal_axes(digits.train.x, 16)
    error = squared_error(digits.test.x, axes.reconstruct(digits.test.x)).mean().item()
    expected = errors_by_sklearn(digits.train.x, digits.test.x, 16).mean()
    assert error == pytest.approx(expected, rel=1e-5)


def test_many_values_are_decomposed_at_random(monkeypatch, make_data):
    data = make_data((6, 5), train=300, test=50)
    exact = principal_axes(data.train.x, 4)
    monkeypatch.setattr(principal, "MAX_EXACT", 20)
    before = torch.random.get_rng_state()
    found, again = (principal_axes(data.train.x, 4) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(found.axes, again.axes)
    assert not torch.equal(found.axes, exact.axes)
    ours, best = (
        squared_error(data.test.x, each.reconstruct(data.test.x)).mean().item()
        for each in (found, exact)
    )
    assert ours == pytest.approx(best, rel=0.01)


def test_of_many_examples_some_are_used_evenly_spread(monkeypatch, make_model, make_data):
    data = make_data((6, 5), train=100)
    monkeypatch.setattr(principal, "MAX_VALUES", 30 * 25)
    found = evaluate(make_model("ae", (6, 5), 3), data, ["pca"])
    expected = errors_by_sklearn(data.train.x[::4], data.test.x, 3).mean()
    assert found["squared_error_of_pca"] == pytest.approx(expected, rel=1e-5)
    assert "25 evenly spread of 100 training examples" in found.records[0].note


@pytest.mark.parametrize("latent", [11, 40])
def test_as_many_dimensions_as_values_leave_no_error(latent, make_model, make_data):
    found = evaluate(make_model("ae", (11,), latent), make_data((11,)), QUICK_TWO).to_dict()
    assert found["squared_error_of_pca"] == 0
    assert found["pca_dimensions"] == 11
    assert found["r2_of_pca"] == 1
    assert "the error is 0" in found["notes"]["squared_error_of_pca"]
    assert found["squared_error_above_pca"] == pytest.approx(found["squared_error"])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_training_examples_allow_few_dimensions(n, make_model, make_data):
    data = make_data((6, 5), train=n)
    found = evaluate(make_model("ae", (6, 5), 8), data, QUICK_TWO).to_dict()
    assert found["pca_dimensions"] == n - 1
    assert "allow no more dimensions" in found["notes"]["squared_error_of_pca"]
    if n > 1:
        expected = errors_by_sklearn(data.train.x, data.test.x, n - 1).mean()
    else:
        expected = found["squared_error_of_mean"]
    assert found["squared_error_of_pca"] == pytest.approx(expected, rel=1e-5)


def test_constant_training_examples():
    x = torch.full((5, 3), 0.5)
    assert principal_axes(x, 2).reconstruct(x).allclose(x.double())
    with pytest.raises(DataError, match="there are none"):
        principal_axes(x[:0], 2)


def test_missing_values_count_as_the_mean():
    x = torch.rand(30, 4, generator=torch.Generator().manual_seed(0))
    x[::3, 1] = torch.nan
    x[:, 3] = torch.nan
    mean = np.append(np.nanmean(x[:, :3].double().numpy(), 0), 0)
    np.testing.assert_allclose(mean_example(x), mean)
    np.testing.assert_allclose(mean_example(x, batch_size=7), mean)
    axes = principal_axes(x, 2)
    filled = np.where(x.isnan(), mean, x.double().numpy())
    again = PCA(2).fit(filled)
    expected = again.inverse_transform(again.transform(filled))
    np.testing.assert_allclose(axes.reconstruct(x), expected, atol=1e-9)
    errors = squared_error(x.double(), axes.reconstruct(x))
    np.testing.assert_allclose(errors, np.nansum((x.double().numpy() - expected) ** 2, 1))


def test_discrete_codes_have_no_pca_beside_them(make_model, make_data):
    found = evaluate(make_model("fsq", (6, 5), 4), make_data((6, 5)), QUICK_TWO).to_dict()
    assert not [name for name in found if "pca" in name]
    assert "not compared with PCA, because the code is discrete" in found["notes"]["squared_error"]


def test_pixels_that_are_drawn_anew_are_drawn_once(make_model, make_data):
    data = make_data((6, 5))
    train = dataclasses.replace(data.train, random=True)
    found = evaluate(make_model("ae", (6, 5)), dataclasses.replace(data, train=train), ["pca"])
    of_grey = evaluate(make_model("ae", (6, 5)), data, ["pca"])
    assert found["squared_error_of_pca"] != of_grey["squared_error_of_pca"]


@pytest.mark.parametrize("shape", [(6, 5), (11,)])
@pytest.mark.parametrize("labels", [True, False])
def test_without_a_training_part_the_rest_is_measured(shape, labels, make_model, make_data):
    data = make_data(shape, labels=labels, train=0, test=50)
    found = evaluate(
        make_model("vae", shape),
        data,
        [*QUICK_TWO, "objective", "codes", "space", "generation", "gaps", "shift"],
    ).to_dict()
    reason = "needs the training part"
    left_out = {"squared_error_of_mean", "pca", "generation", "gaps"}
    if labels:
        left_out |= {"knn_accuracy", "linear_probe_accuracy", "silhouette", "kmeans_accuracy"}
        left_out |= {"knn_accuracy of changed inputs"}
    if len(shape) == 1:
        left_out |= {"r2"}
    assert found["left_out"] == dict.fromkeys(sorted(left_out), reason)
    assert not [name for name in found if "pca" in name or name in left_out]
    assert {"squared_error", "loss", "trustworthiness", "code_shift_noise"} <= set(found)


def test_a_complete_data_set_leaves_nothing_out(make_model, make_data):
    assert "left_out" not in evaluate(make_model("ae", (6, 5)), make_data((6, 5))).to_dict()


@pytest.fixture
def kept(tmp_path):
    x = torch.rand(90, 6, 5, generator=torch.Generator().manual_seed(3))
    parts = (Split(part, None) for part in x.split([60, 10, 20]))
    data = Data("made", "", {}, *parts, classes=(), fingerprint="of-pca")
    fitted = fit("ae", data, steps=2, batch_size=20, out=tmp_path / "run", progress=False)
    measure._kept.clear()
    return fitted.run, fitted.model, data


def test_pca_outlives_the_weights_in_the_cache(kept, monkeypatch):
    run, model, data = kept
    first = evaluate(model, data, QUICK_TWO, MetricsCache(run))
    with torch.no_grad():
        model.decoder.network.out.bias.add_(1)
    run.write_weights(model)
    measure._kept.clear()
    monkeypatch.setattr(measure, "principal_axes", None)  # would fail if it were called
    second = evaluate(model, data, QUICK_TWO, MetricsCache(run))
    assert first["squared_error"] != second["squared_error"]
    assert first["squared_error_of_pca"] == second["squared_error_of_pca"]
    assert first["squared_error_above_pca"] != second["squared_error_above_pca"]


def test_compared_models_share_a_pca_of_the_same_dimensions(kept, make_model, monkeypatch):
    _, model, data = kept
    first = evaluate(model, data, ["pca"])
    other = make_model(RECIPES["vae"], (6, 5), latent=model.sizes.latent)
    wider = make_model(RECIPES["vae"], (6, 5), latent=model.sizes.latent + 1)
    assert evaluate(wider, data, ["pca"])["squared_error_of_pca"] < first["squared_error_of_pca"]
    monkeypatch.setattr(measure, "principal_axes", None)
    assert evaluate(other, data, ["pca"]) == first
