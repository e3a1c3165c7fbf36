"""The estimators of `autoencode.sklearn`: results, refusals, and what pickles hold."""

import io
import pickle
import pickletools
import random
from typing import get_args

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autoencode import RECIPES, Recipe, Spec, embed, reconstruct
from autoencode.data import Split, load_data
from autoencode.errors import AutoencodeError, RunError
from autoencode.io.tensors import packed_tensors, unpacked_tensors
from autoencode.sklearn import AutoencoderDetector, AutoencoderTransformer, EstimatorError
from autoencode.sklearn.messages import in_python
from autoencode.use.scores import Method, score

pytestmark = pytest.mark.long

SMALL = {"overrides": {"network.hidden": [8]}, "steps": 20, "random_state": 0}
# Without the linear path that tables get, a few steps learn little.
NO_PATH = {**SMALL, "overrides": {"network.hidden": [8], "network.linear": "none"}}
IMAGES = {**SMALL, "image_shape": (8, 8), "value_range": (0, 16)}
BOTH = pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderDetector])


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


@pytest.fixture(scope="module")
def pixels():
    x, y = load_digits(return_X_y=True)
    return x[:300], y[:300]


@pytest.fixture(scope="module")
def fitted(iris):
    return AutoencoderTransformer(latent=2, **SMALL).fit(iris)


@pytest.fixture(scope="module")
def detector(iris):
    return AutoencoderDetector(latent=2, **SMALL).fit(iris)


def output(estimator, x):
    is_detector = isinstance(estimator, AutoencoderDetector)
    return estimator.score_samples(x) if is_detector else estimator.transform(x)


def test_codes_are_those_of_the_package(fitted, iris):
    model = fitted.to_model()
    frame = {f"x{i + 1}": iris[:, i] for i in range(4)}
    expected = embed(model, load_data(frame, preprocessing=model.preprocessing).test)
    part = load_data(frame, preprocessing=model.preprocessing).test
    raw = model.preprocessing.inverse(part.x).astype(float)
    np.testing.assert_allclose(fitted.transform(raw), expected, atol=1e-5)


def test_reconstructions_are_in_the_units_of_the_data(iris):
    x = iris * [1, 1000, 0.001, 1] + [0, 5e5, 0, -100]
    linear = AutoencoderTransformer("ae-linear", latent=4, steps=800, random_state=0).fit(x)
    back = linear.inverse_transform(linear.transform(x))
    np.testing.assert_allclose((back - x).std(0) / x.std(0), 0, atol=0.1)
    model = linear.to_model()
    scaled = model.preprocessing(x)
    expected = model.preprocessing.inverse(reconstruct(model, scaled)).astype(float)
    np.testing.assert_allclose(back, expected, rtol=1e-5)


def test_score_is_the_explained_variance(iris):
    model = AutoencoderTransformer("ae-linear", latent=2, steps=300, random_state=0).fit(iris)
    x, mean = iris / iris.std(0), iris.mean(0) / iris.std(0)
    back = model.inverse_transform(model.transform(iris)) / iris.std(0)
    expected = 1 - ((x - back) ** 2).sum() / ((x - mean) ** 2).sum()
    # Held-out rows have no part in the scaling, so the units differ by a few percent.
    assert model.score(iris) == pytest.approx(expected, abs=0.02)
    assert expected > 0.8


@BOTH
def test_global_random_states_are_unchanged(kind, iris):
    for given in (None, 7, np.random.RandomState(3)):
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        random.seed(1)
        before = np.random.get_state()[1:], torch.get_rng_state(), random.getstate()  # noqa: NPY002
        estimator = kind(**{**SMALL, "random_state": given}).fit(iris)
        output(estimator, iris)
        if kind is AutoencoderTransformer:
            estimator.sample(3)
        after = np.random.get_state()[1:], torch.get_rng_state(), random.getstate()  # noqa: NPY002
        assert all(np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
        assert torch.equal(before[1], after[1])
        assert before[2] == after[2]


def test_random_states(iris):
    def codes(state):
        given = {**SMALL, "random_state": state, "steps": 2}
        return AutoencoderTransformer(**given).fit_transform(iris)

    three = codes(3)
    assert (three == codes(np.int64(3))).all()
    assert (three != codes(4)).any()
    assert (codes(None) != codes(None)).any()
    assert (codes(np.random.RandomState(5)) == codes(np.random.RandomState(5))).all()
    state = np.random.RandomState(5)
    assert (codes(state) != codes(state)).any()
    with pytest.raises(ValueError, match="seed"):
        codes("seven")


@BOTH
def test_refits_give_the_same_bytes(kind, iris):
    estimator = kind(**SMALL).fit(iris)
    first, result = estimator.model_bytes_, output(estimator, iris)
    output(estimator.fit(iris[:50]), iris)
    assert estimator.fit(iris).model_bytes_ == first == kind(**SMALL).fit(iris).model_bytes_
    assert (output(estimator, iris) == result).all()


@BOTH
def test_fitted_state_holds_no_objects_of_torch(kind, iris):
    state = kind(**SMALL).fit(iris).__getstate__()
    plain = (bytes, int, float, str, tuple, dict, np.ndarray, bool, type(None))
    assert all(isinstance(value, plain) for value in state.values())
    content = pickle.dumps(kind(**SMALL).fit(iris), protocol=2)
    modules = {
        str(arg).split()[0] for code, arg, _ in pickletools.genops(content) if code.name == "GLOBAL"
    }
    assert {name.split(".")[0] for name in modules} <= {
        *("autoencode", "numpy", "copy_reg", "_codecs", "sklearn", "__builtin__")
    }
    assert {name for name in modules if name.startswith("autoencode")} == {kind.__module__}


@BOTH
def test_round_trips_are_equal_to_the_bit(kind, iris, tmp_path):
    estimator = kind(**SMALL).fit(iris)
    expected = output(estimator, iris)
    joblib.dump(estimator, tmp_path / "it.joblib")
    for copy in (
        pickle.loads(pickle.dumps(estimator)),
        joblib.load(tmp_path / "it.joblib"),
        joblib.load(tmp_path / "it.joblib", mmap_mode="r"),
    ):
        assert (output(copy, iris) == expected).all()
        assert copy.get_params() == estimator.get_params()
    sampled = joblib.load(tmp_path / "it.joblib", mmap_mode="r")
    if kind is AutoencoderTransformer:
        assert (sampled.sample(3, random_state=1) == estimator.sample(3, random_state=1)).all()
    else:
        assert (sampled.predict_proba(iris) == estimator.predict_proba(iris)).all()


def test_damaged_bytes_are_refused(fitted, iris):
    damaged = clone(fitted).fit(iris)
    for content in (
        damaged.model_bytes_[:-1],
        b"",
        b"\0" * 64,
        damaged.model_bytes_[:-1] + bytes([damaged.model_bytes_[-1] ^ 1]),
    ):
        damaged.model_bytes_ = content
        with pytest.raises(EstimatorError, match="damaged"):
            damaged.transform(iris)


def test_tensors_as_bytes():
    tensors = {"a": torch.arange(3.0), "b": torch.ones(2, 2, dtype=torch.int64)}
    content = packed_tensors(tensors, {"n": 1})
    found, meta = unpacked_tensors(content, "It")
    assert meta == {"n": 1}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    with pytest.raises(RunError, match="It is damaged"):
        unpacked_tensors(content.replace(b"sha256", b"sha257"), "It")


@BOTH
def test_rows_do_not_depend_on_their_batch(kind, pixels):
    x, _ = pixels
    for given in (SMALL, IMAGES):
        estimator = kind(**given).fit(x)
        one_by_one = np.concatenate([output(estimator, x[i : i + 1]) for i in range(20)])
        np.testing.assert_allclose(output(estimator, x)[:20], one_by_one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("float16", "float32"),
        ("uint8", "float32"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("bool", "float32"),
        ("int32", "float64"),
        ("int64", "float64"),
        ("longdouble", "float64"),
        (">f4", "float32"),
        (object, "float64"),
    ],
)
def test_types_of_results(fitted, given, expected):
    x = np.random.default_rng(0).integers(0, 2, (10, 4)).astype(given)
    codes = fitted.transform(x)
    assert codes.dtype == expected
    np.testing.assert_allclose(codes, fitted.transform(x.astype(float)), rtol=1e-6)
    assert fitted.inverse_transform(codes).dtype == expected


@BOTH
def test_fit_takes_every_type(kind, iris):
    expected = output(kind(**SMALL).fit(iris.round()), iris)
    for given in ("uint8", "float16", "float32", object):
        estimator = kind(**SMALL).fit(iris.round().astype(given))
        np.testing.assert_allclose(output(estimator, iris), expected, atol=1e-5)


@BOTH
def test_unfitted(kind, iris):
    names = {"score_samples", "decision_function", "predict", "transform", "inverse_transform"}
    called = [name for name in names if hasattr(kind(), name)]
    assert called
    for name in called:
        with pytest.raises(NotFittedError):
            getattr(kind(), name)(iris)
    with pytest.raises(NotFittedError):
        kind().to_model()
    if kind is AutoencoderTransformer:
        for call in (kind().sample, kind().get_feature_names_out):
            with pytest.raises(NotFittedError):
                call()


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.zeros((5, 3)), "3 columns, and this model has 2 latent dimensions"),
        (np.zeros(2), "Expected 2D array"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.full((2, 2), np.inf), "infinity"),
        ([["a", "b"]], "dtype|convert"),
        (np.zeros((0, 2)), "0 sample"),
        (np.zeros((2, 2), complex), "Complex"),
        (np.full((2, 2), 1e200), "not finite. Give codes like"),
    ],
)
def test_inverse_transform_refuses(x, match):
    """A network without bounds: codes of 1e200 have an infinite reconstruction."""
    rows = load_iris().data
    linear = AutoencoderTransformer("ae-linear", latent=2, steps=5, random_state=0)
    linear.fit(rows * 1e150)
    with pytest.raises(ValueError, match=match):
        linear.inverse_transform(x)


@BOTH
def test_values_beyond_float32(kind, iris):
    estimator = kind(**SMALL).fit(iris)
    x = iris.copy()
    x[7, 2] = 1e39
    with pytest.raises(EstimatorError, match="row 7 in column 2 is too large for float32"):
        output(estimator, x)
    # Each column is scaled before it becomes float32, so large numbers can be learned.
    large = kind(**SMALL).fit(iris * 1e39)
    np.testing.assert_allclose(output(large, iris * 1e39), output(estimator, iris), atol=1e-4)
    with pytest.raises(EstimatorError, match="column 0 are so large"):
        kind(**SMALL).fit(iris * 1e300)
    outlier = iris.copy()
    outlier[:, 1] = np.linspace(0, 1, len(iris))
    outlier[3, 1] = 1e300
    with pytest.raises(EstimatorError, match="large"):
        kind(scale="robust", **SMALL).fit(outlier)


@BOTH
@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"lr": 1e30}, "lr must be"),
        ({"lr": "fast"}, "lr must be"),
        ({"recipe": "vea"}, 'Did you mean "vae"'),
        ({"recipe": 3}, "recipe is a int"),
        ({"latent": 0}, "latent"),
        ({"latent": 2.5}, "latent"),
        ({"steps": 0}, "steps must be"),
        ({"batch_size": -1}, "batch_size must be"),
        ({"overrides": {"network.hiden": [8]}}, "network.hidden"),
        ({"overrides": ["network.hidden"]}, "overrides is a list"),
        ({"overrides": {"network.hidden": "wide"}}, "network.hidden must be"),
        ({"training": {"weight_decy": 1.0}}, "weight_decay"),
        ({"training": {"seed": 1}}, "random_state="),
        ({"training": {"steps": 1}}, "steps="),
        ({"training": {"snapshots": 5}}, "autoencode.fit"),
        ({"scale": "log"}, "scale must be"),
        ({"image_shape": (3, 3)}, "4 values, and images of shape"),
        ({"image_shape": 4}, "image_shape is 4"),
        ({"value_range": (0, 1)}, "value_range is given"),
        ({"image_shape": (2, 2)}, r"value_range=\(0, 8\)|value_range"),
        ({"image_shape": (2, 2), "scale": "standard"}, "images"),
        ({"validation_fraction": 1.5}, "validation_fraction must be"),
        ({"validation_fraction": 0}, "validation_fraction is 0"),
        ({"recipe": "conv-vae", "overrides": None}, r"image_shape=\(height, width\)"),
        ({"recipe": "cvae"}, "requires y to be passed"),
    ],
)
def test_bad_parameters_are_refused_by_fit(kind, given, match, iris):
    estimator = kind(**{**SMALL, **given})  # nothing is checked here
    with pytest.raises(ValueError, match=match) as caught:
        estimator.fit(iris)
    assert isinstance(caught.value, AutoencodeError)
    assert "--" not in str(caught.value)
    pickle.loads(pickle.dumps(caught.value))


@pytest.mark.parametrize("given", [0, -0.1, 0.6, "auto", None, (0.1,)])
def test_contamination_is_checked(given, iris):
    with pytest.raises(EstimatorError, match="contamination must be"):
        AutoencoderDetector(contamination=given, **SMALL).fit(iris)
    with pytest.raises(EstimatorError, match="score_method must be"):
        AutoencoderDetector(score_method="distance", **SMALL).fit(iris)


@BOTH
def test_a_diverged_training_raises(kind, iris):
    with pytest.raises(EstimatorError, match=r"diverged|not finite"):
        kind(lr=1e6, **{**SMALL, "steps": 200}).fit(iris)


def test_warnings_of_training_name_parameters(monkeypatch):
    """Noise cannot be learned; the warning comes from the line that calls `fit`."""
    noise = np.random.default_rng(0).normal(size=(60, 20))
    monkeypatch.setattr("autoencode.train.final_checks.MIN_STEPS_TO_WARN", 10)
    estimator = AutoencoderTransformer("ae", lr=1e-6, **NO_PATH)
    with pytest.warns(UserWarning, match="learned no more than the mean") as caught:
        estimator.fit(noise)
    assert caught[0].filename == __file__
    assert "lr=" in str(caught[0].message)
    assert "--" not in str(caught[0].message)


@BOTH
def test_numpy_parameters(kind, iris):
    numbers = {"latent": np.int64(2), "steps": np.int32(20), "lr": np.float32(0.5**9)}
    found = kind(**{**SMALL, **numbers, "overrides": {"network.hidden": np.array([8])}}).fit(iris)
    plain = kind(**{**SMALL, "latent": 2, "lr": 0.5**9}).fit(iris)
    assert (output(found, iris) == output(plain, iris)).all()


@BOTH
def test_shapes_of_rows(kind, pixels):
    x, _ = pixels
    for wrong in (x.reshape(-1, 8, 8), x.reshape(-1, 1, 8, 8), x.reshape(-1, 2, 4, 8)):
        with pytest.raises(ValueError, match=r"X.reshape\(len\(X\), -1\), with image_shape=\("):
            kind(**SMALL).fit(wrong)
    with pytest.raises(ValueError, match="1 sample"):
        kind(**SMALL).fit(x[:1])
    one = kind(latent=1, **SMALL).fit(x[:, 20:21])
    assert len(output(one, x[:7, 20:21])) == 7
    two = kind(**SMALL).fit(x[:2])
    assert np.isfinite(output(two, x)).all()


@BOTH
def test_sparse_matrices_are_refused(kind, iris):
    from scipy import sparse

    for make in (sparse.csr_matrix, sparse.coo_array):
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            kind(**SMALL).fit(make(iris))


@BOTH
def test_sample_weight_is_refused(kind, iris):
    with pytest.raises(TypeError, match="sample_weight"):
        kind(**SMALL).fit(iris, sample_weight=np.ones(len(iris)))


@BOTH
def test_init_sets_parameters_and_nothing_else(kind):
    given = {"recipe": RECIPES["ae"], "overrides": {"network.hidden": [8]}, "latent": "wrong"}
    estimator = kind(**given)
    assert set(vars(estimator)) == set(estimator.get_params())
    assert all(getattr(estimator, name) is value for name, value in given.items())
    assert vars(clone(estimator)).keys() == vars(estimator).keys()


@BOTH
def test_parameters_and_data_stay_as_they_are(kind, iris):
    x, given = iris.copy(), {"network.hidden": [8]}
    estimator = kind(**{**SMALL, "overrides": given}).fit(x)
    state = {name: repr(value) for name, value in vars(estimator).items()}
    output(estimator, x)
    assert (x == iris).all()
    assert given == {"network.hidden": [8]}
    assert state == {name: repr(value) for name, value in vars(estimator).items()}


def test_masked_and_empty_values(iris):
    with pytest.raises(EstimatorError, match=r"X\.filled"):
        AutoencoderTransformer(**SMALL).fit(np.ma.masked_greater(iris, 5))
    AutoencoderTransformer(**SMALL).fit(np.ma.masked_greater(iris, 1e9))
    empty = np.where(np.arange(4) == 1, np.nan, iris)
    with pytest.raises(EstimatorError, match="Column 1 has no value"):
        AutoencoderTransformer(missing=True, **SMALL).fit(empty)


def test_parameters_that_change_after_fit(iris):
    changed = AutoencoderDetector(**SMALL).fit(iris)
    with pytest.raises(EstimatorError, match="score_method must be"):
        changed.set_params(score_method="distance").predict(iris)
    with pytest.raises(EstimatorError, match="4 columns"):
        changed.set_params(score_method="reconstruction", image_shape=(2, 2)).predict(iris)


def test_steps_of_the_recipe(iris):
    recipe = RECIPES["ae"].but(training={"steps": 7})
    estimator = AutoencoderTransformer(recipe, **{**SMALL, "steps": None}).fit(iris)
    assert estimator.n_iter_ == 7


def test_a_recipe_of_your_own(iris):
    recipe = Recipe(network=Spec("mlp", {"hidden": (4,)}), latent=3, name="mine")
    estimator = AutoencoderTransformer(recipe, steps=5, random_state=0).fit(iris)
    assert pickle.loads(pickle.dumps(estimator)).transform(iris).shape == (150, 3)


def test_a_network_of_your_own_is_refused(iris, tmp_path):
    file = tmp_path / "nets.py"
    file.write_text("class Net: pass\n")
    with pytest.raises(EstimatorError, match=r"nets\.py|of your own|network"):
        AutoencoderTransformer(overrides={"network": f"{file}:Net"}).fit(iris)


def test_constant_columns(iris):
    x = np.column_stack([iris, np.full(len(iris), 0.1)])
    estimator = AutoencoderTransformer(latent=2, **SMALL).fit(x)
    assert np.isfinite(estimator.score(x + 1))
    assert any("no spread" in notice for notice in estimator.notices_)
    assert estimator.inverse_transform(estimator.transform(x))[:, 4] == pytest.approx(0.1, abs=3)


def test_missing_values(iris):
    x = iris.copy()
    x[::7, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        AutoencoderTransformer(**SMALL).fit(x)
    estimator = AutoencoderTransformer(missing=True, **SMALL).fit(x)
    filled = estimator.inverse_transform(estimator.transform(x))
    assert np.isfinite(filled).all()
    assert np.isfinite(estimator.score(x))
    assert np.isfinite(AutoencoderDetector(missing=True, **SMALL).fit(x).score_samples(x)).all()
    complete = AutoencoderTransformer(missing=True, **SMALL).fit(iris)
    with pytest.raises(EstimatorError, match="missing values"):
        complete.transform(x)


def test_notices(iris, capsys):
    quiet = AutoencoderTransformer(**SMALL).fit(iris)
    assert capsys.readouterr() == ("", "")
    assert any("20 steps at most" in notice for notice in quiet.notices_)
    assert not any("test part" in notice or "--" in notice for notice in quiet.notices_)
    AutoencoderTransformer(verbose=True, **SMALL).fit(iris)
    assert quiet.notices_[0] in capsys.readouterr().err


def test_frames_and_set_output(iris):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(iris, columns=["a", "b", "c", "d"], index=range(100, 250))
    estimator = AutoencoderTransformer(latent=3, **SMALL).set_output(transform="pandas")
    codes = estimator.fit_transform(frame)
    assert list(codes) == [f"autoencodertransformer{i}" for i in range(3)]
    assert list(codes.index) == list(frame.index)
    assert list(estimator.get_feature_names_out()) == list(codes)
    assert list(estimator.feature_names_in_) == ["a", "b", "c", "d"]
    assert estimator.n_features_in_ == 4
    assert (estimator.transform(frame).to_numpy() == codes.to_numpy()).all()
    assert estimator.inverse_transform(codes).shape == (150, 4)
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[["b", "a", "c", "d"]])
    with pytest.raises(EstimatorError, match="column c"):
        estimator.transform(frame.assign(c=1e300))


def test_pipeline_with_a_classifier(pixels):
    x, y = pixels
    codes = AutoencoderTransformer("ae", latent=8, **{**SMALL, "steps": 100})
    pipeline = make_pipeline(StandardScaler(), codes, LogisticRegression(max_iter=500))
    assert pipeline.fit(x[:200], y[:200]).score(x[200:], y[200:]) > 0.6


@pytest.mark.parametrize(
    ("shape", "high"), [((8, 8), 16), ((1, 8, 8), 16), ((8, 8), 255), ((3, 4, 4), 255)]
)
def test_images_in_rows(shape, high):
    rng = np.random.default_rng(0)
    x = rng.integers(0, high + 1, (60, int(np.prod(shape))))
    x = x.astype("uint8") if high == 255 else x.astype(float)
    given = {**SMALL, "image_shape": shape, "value_range": None if high == 255 else (0, high)}
    estimator = AutoencoderTransformer(**given).fit(x)
    back = estimator.inverse_transform(estimator.transform(x))
    assert back.shape == x.shape
    # Of continuous images the reconstruction is a sum of components, as in PCA.
    assert back.min() >= -0.1 * high
    assert 1 < back.max() <= 1.1 * high
    # The same numbers in another type are the same images.
    np.testing.assert_allclose(
        estimator.transform(x.astype(float)), estimator.transform(x), rtol=1e-6, atol=1e-6
    )
    dark = np.zeros_like(x[:1])
    dark[0, 0] = 1
    np.testing.assert_allclose(
        estimator.transform(dark.astype(float)), estimator.transform(dark), rtol=1e-6, atol=1e-6
    )
    with pytest.raises(EstimatorError, match="range"):
        estimator.transform(x.astype(float) * 10)


def test_percentiles_as_range(pixels):
    x, _ = pixels
    estimator = AutoencoderTransformer(**{**IMAGES, "value_range": "auto"}).fit(x)
    assert estimator.inverse_transform(estimator.transform(x)).max() > 5
    with pytest.raises(EstimatorError, match=r"value_range=\(0, \d+\)"):
        AutoencoderTransformer(**{**IMAGES, "value_range": None}).fit(x)


@pytest.mark.parametrize(
    "recipe", ["ae", "vae", pytest.param("vq-vae", marks=pytest.mark.long), "sphere-vae"]
)
def test_samples(recipe, iris):
    latent = 4
    estimator = AutoencoderTransformer(recipe, latent=latent, **{**SMALL, "steps": 3}).fit(iris)
    rows = estimator.sample(9, random_state=2)
    assert rows.shape == (9, 4)
    assert len(np.unique(rows, axis=0)) > 1
    assert (rows == estimator.sample(9, random_state=2)).all()
    assert (rows != estimator.sample(9)).any()
    for wrong in (0, -1, 2.5, "many"):
        with pytest.raises(EstimatorError, match="n_samples must be"):
            estimator.sample(wrong)


@pytest.mark.parametrize("names", [False, True])
def test_conditional_recipes(names, pixels):
    x, y = pixels
    labels = np.array([f"digit {i}" for i in y]) if names else y
    estimator = AutoencoderTransformer("cvae", latent=2, **{**SMALL, "steps": 100})
    codes = estimator.fit_transform(x, labels)
    assert (estimator.classes_ == np.unique(labels)).all()
    assert (estimator.transform(x, labels) == codes).all()
    with pytest.raises(EstimatorError, match="requires y to be passed"):
        estimator.transform(x)
    with pytest.raises(EstimatorError, match="2 rows are unknown"):
        estimator.transform(x[:3], [labels[0], -1, -1] if not names else [labels[0], "", "-1"])
    with pytest.raises(EstimatorError, match="inverse_transform\\(codes, y\\)"):
        estimator.inverse_transform(codes)
    back = estimator.inverse_transform(codes, labels)
    assert back.shape == x.shape
    assert (back != estimator.inverse_transform(codes, np.roll(labels, 1))).any()
    assert np.isfinite(estimator.score(x, labels))
    assert estimator.sample(20, random_state=0).shape == (20, 64)
    zeros, ones = (estimator.sample(50, labels[y == i][0], random_state=0) for i in (0, 1))
    assert zeros[:, 36].mean() < ones[:, 36].mean()  # the middle of a 0 is empty
    with pytest.raises(EstimatorError, match="no class"):
        estimator.sample(3, 11)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        estimator.fit(x, labels[:-1])
    with pytest.raises(EstimatorError, match="knows the classes"):
        estimator.transform(x[:2], ["none", "such"] if names else [77, 78])


@pytest.mark.long
def test_semi_supervised_recipes_learn_from_few_labels(pixels):
    x, y = pixels
    few = np.where(np.arange(len(y)) % 2, y, -1)
    given = {**SMALL, "steps": 150, "overrides": {"network.hidden": [32]}}
    estimator = AutoencoderTransformer("m2", latent=4, **given).fit(x, few)
    assert list(estimator.classes_) == list(range(10))
    assert (estimator.predict(x) == y)[few < 0].mean() > 0.7
    assert estimator.predict_proba(x).sum(1) == pytest.approx(1)
    assert estimator.transform(x).shape == (300, 4)
    assert not hasattr(AutoencoderTransformer("vae"), "predict")
    # All labels known: there is nothing to mix.
    assert AutoencoderTransformer("m2", **SMALL).fit(x, y).predict(x).shape == (300,)
    with pytest.raises(EstimatorError, match="No label is known"):
        AutoencoderTransformer("m2", **SMALL).fit(x, np.full(300, -1))


def test_labels_do_not_matter_to_other_recipes(iris):
    estimator = AutoencoderTransformer(**SMALL)
    plain = estimator.fit_transform(iris)
    assert (estimator.fit_transform(iris, np.linspace(0, 1, len(iris))) == plain).all()
    assert not hasattr(estimator, "classes_")


def test_detector_of_both_conventions(iris):
    x = iris.copy()
    x[:5] = x[:5, ::-1] * 4
    detector = AutoencoderDetector("ae", latent=2, contamination=5 / 150, **NO_PATH).fit(x)
    assert set(np.flatnonzero(detector.labels_)) == set(range(5))
    assert (detector.predict(x) == np.where(detector.labels_, -1, 1)).all()
    assert (detector.fit_predict(x) == detector.predict(x)).all()
    np.testing.assert_allclose(-detector.decision_scores_, detector.score_samples(x))
    assert ((detector.decision_function(x) < 0) == (detector.predict(x) == -1)).all()
    assert detector.threshold_ == -detector.offset_
    share = detector.predict_proba(x)
    assert share.sum(1) == pytest.approx(1)
    assert share[:, 1].max() == 1
    assert (np.argsort(share[:, 1]) == np.argsort(detector.decision_scores_)).all()
    # A new row that is far worse than all training rows.
    assert detector.predict_proba(x * 100)[:, 1].max() == 1


def test_scores_are_the_squared_error_in_scaled_units(iris, detector):
    model = detector.to_model()
    scaled = torch.from_numpy(model.preprocessing(iris))
    expected = (reconstruct(model, scaled) - scaled).square().sum(1)
    np.testing.assert_allclose(detector.decision_scores_, expected, rtol=1e-4)


@pytest.mark.parametrize("method", get_args(Method))
def test_every_score_is_that_of_the_package(iris, method):
    given = {"latent": 2, "validation_fraction": 0.02, **SMALL, "score_method": method}
    detector = AutoencoderDetector(**given).fit(iris)
    model = detector.to_model()
    rows = Split(torch.from_numpy(model.preprocessing(iris)), None)
    expected = score(model, rows, method, training=rows)
    np.testing.assert_allclose(detector.decision_scores_, expected, rtol=2e-4)
    copy = pickle.loads(pickle.dumps(detector))
    assert (copy.score_samples(iris[:40]) == detector.score_samples(iris[:40])).all()


def test_rows_with_gaps_have_scores_of_the_scale_of_the_others(iris):
    gaps = np.where(np.arange(4) % 2 == np.arange(len(iris))[:, None] % 2, np.nan, iris)
    detector = AutoencoderDetector("vae", latent=2, missing=True, **SMALL).fit(gaps)
    model = detector.to_model()
    scaled = torch.from_numpy(model.preprocessing(gaps)).float()
    with torch.no_grad():
        expected = 4 * (model(scaled).images - scaled).square().nanmean(1)
    np.testing.assert_allclose(-detector.score_samples(gaps), expected, rtol=1e-3, atol=1e-5)


def test_a_score_of_codes_needs_its_own_fit(iris):
    changed = AutoencoderDetector(latent=2, score_method="density", **SMALL).fit(iris)
    with pytest.raises(EstimatorError, match="Call fit again"):
        changed.set_params(score_method="neighbours").score_samples(iris)
    changed.fit(iris).score_samples(iris)


def test_fixes_are_python():
    assert in_python("Try --lr 0.001 (lr=0.001).") == "Try lr=0.001."
    assert in_python("Add it: --set terms.kl=kl.") == "Add it: overrides={'terms.kl': 'kl'}."
    assert in_python("Or --set network.norm=none") == "Or overrides={'network.norm': None}"
    assert in_python("a warm-up (--warmup 500).") == "a warm-up (training={'warmup': 500})."

    fix = "Give it: --range -2.5 2e-05 (value_range=(-2.5, 2e-05))."
    assert in_python(fix) == "Give it: value_range=(-2.5, 2e-05)."
    assert in_python("Train one: autoencode train --help") == "Train one: autoencode train --help"


def test_errors_can_be_shown_in_another_process():
    error = EstimatorError("What", "Fix.")
    copy = pickle.load(io.BytesIO(pickle.dumps(error)))
    assert isinstance(copy, ValueError)
    assert (copy.what, copy.fix, str(copy)) == ("What", "Fix.", "What. Fix.")
