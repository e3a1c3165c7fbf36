"""The checks of scikit-learn, all recipes, and searches over parameters."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from autoencode import RECIPES
from autoencode.sklearn import AutoencoderDetector, AutoencoderTransformer

pytestmark = pytest.mark.long

# The check of the array API is skipped unless SciPy was imported with this variable.
ARRAY_API = {"SCIPY_ARRAY_API": "1"}
CHECKS = """
import sys, warnings
from sklearn.utils.estimator_checks import check_estimator
import autoencode.sklearn
warnings.simplefilter("ignore")
kind = getattr(autoencode.sklearn, sys.argv[1])
found = check_estimator(kind(steps=8), on_fail=None, on_skip=None)
wrong = [(each["check_name"], repr(each["exception"])) for each in found
         if each["status"] != "passed"]
assert len(found) >= 40
sys.exit(str(wrong) if wrong else 0)
"""


@pytest.mark.parametrize("name", ["AutoencoderTransformer", "AutoencoderDetector"])
def test_check_estimator(name, monkeypatch):
    """Every check passes, and none is skipped or excused."""
    for variable, value in ARRAY_API.items():
        monkeypatch.setenv(variable, value)
    words = [sys.executable, "-c", CHECKS, name]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def pixels():
    x, y = load_digits(return_X_y=True)
    return x[:400], y[:400]


SLOW = {"two-stage-vae": "slow", "vq-vae": "slow", "fsq": "slow", "conv-vq-vae": "slow"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=getattr(pytest.mark, SLOW[name])) if name in SLOW else name
        for name in RECIPES
    ],
)
def test_every_recipe(name, pixels):
    """Codes do not depend on the batch, and no global random state changes."""
    x, y = pixels[0][:200], np.where(np.arange(200) % 2, pixels[1][:200], -1)
    given = {"latent": 8, "steps": 3, "random_state": 0, "image_shape": (8, 8)}
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1:], torch.get_rng_state()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = AutoencoderTransformer(name, value_range=(0, 16), **given).fit(x, y)
    codes = estimator.transform(x, y)
    assert codes.shape == (200, estimator._n_features_out)
    alone = np.concatenate([estimator.transform(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(alone, codes[:3], rtol=1e-9, atol=1e-9)
    assert (
        estimator.sample(5).shape == estimator.inverse_transform(codes, pixels[1][:200])[:5].shape
    )
    assert estimator.score(x, y) <= 1
    after = np.random.get_state()[1:], torch.get_rng_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert torch.equal(before[1], after[1])


def test_search_over_latent_dimensions_and_recipes(pixels):
    x, _ = pixels
    grid = {"latent": [1, 12], "recipe": ["ae", "vae"]}
    model = AutoencoderTransformer(steps=150, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(x)
    assert search.best_params_["latent"] == 12
    assert 0.3 < search.best_score_ <= 1
    assert search.transform(x).shape == (400, 12)


def test_search_in_a_pipeline(pixels):
    """Parameters of NumPy's types, in other processes, and a combination that cannot be trained."""
    x, y = pixels
    codes = AutoencoderTransformer("ae", steps=100, random_state=0)
    pipeline = make_pipeline(StandardScaler(), codes, SVC())
    grid = {"autoencodertransformer__latent": np.arange(0, 17, 8)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(x, y)
    assert any("EstimatorError: latent must be" in str(each.message) for each in caught)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False, False]
    assert search.best_score_ > 0.7


def test_cross_validation_of_labels_and_of_anomalies(pixels):
    x, y = pixels
    few = np.where(np.arange(len(y)) % 3, y, -1)
    semi = AutoencoderTransformer(
        "m2", latent=8, overrides={"network.hidden": [32]}, steps=150, random_state=0
    )
    assert (cross_val_predict(semi, x, few, cv=2) == y).mean() > 0.6
    assert cross_val_score(AutoencoderTransformer("cvae", steps=10), x, y, cv=2).shape == (2,)
    scores = cross_val_predict(
        AutoencoderDetector("ae", latent=8, steps=150, random_state=0),
        np.concatenate([x, np.random.default_rng(0).permuted(x[:40], axis=1)]),
        method="decision_function",
        cv=4,
    )
    assert np.median(scores[400:]) < np.quantile(scores[:400], 0.05)
