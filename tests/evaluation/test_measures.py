"""Every measure on models and data of every kind: what it gives, what it leaves out, and why."""

import dataclasses

import pytest
import torch

from autoencode.data import Data, Split
from autoencode.errors import RecipeError
from autoencode.evaluation import MEASURES, QUICK, MetricsCache, evaluate
from autoencode.evaluation.measures.robustness import rotated
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit

ALL = tuple(MEASURES)
KINDS = ["ae", "vae", "cvae", "fsq", "mog-vae", "m2", "sphere-vae", "ae-mixture"]

QUICK_KINDS = ("cvae",)
LONG_KINDS = ("fsq", "mog-vae", "ae-mixture")


@pytest.fixture(scope="module")
def many():
    """Enough examples for every measure, and few enough to be quick; bright, grey and dark."""
    generator = torch.Generator().manual_seed(0)

    def split(count):
        y = torch.arange(count) % 3
        x = 0.5 * torch.rand(count, 8, 8, generator=generator) + y[:, None, None] / 4
        return Split((x * 255).to(torch.uint8), y)

    parts = {"train": split(160), "validation": split(20), "test": split(80)}
    return Data("made", "", {}, **parts, classes=("a", "b", "c"), fingerprint="made")


@pytest.fixture(autouse=True)
def quick_judge(monkeypatch):
    """A judge that is trained in a moment."""
    monkeypatch.setattr("autoencode.evaluation.classifier.MIN_STEPS", 20)


def made(name, data, likelihood=None, **sets):
    """A model of two steps: fitted enough that its sampler draws."""
    row = RECIPES[name] if likelihood is None else RECIPES[name].set("likelihood", likelihood)
    if name == "m2":
        row = row.but(training={})  # all labels are known here
    if name == "fsq":
        row = row.but(sampler=None)  # it takes long to learn
    return fit(row, data, steps=2, batch_size=40, progress=False, **sets).model


@pytest.mark.parametrize(
    "name",
    [
        *QUICK_KINDS,
        *(pytest.param(name, marks=pytest.mark.long) for name in LONG_KINDS),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in KINDS
            if name not in QUICK_KINDS + LONG_KINDS
        ),
    ],
)
def test_every_measure_finds_what_has_a_meaning(name, many):
    model = made(name, many)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = evaluate(model, many, MEASURES, samples=20, images=40).to_dict()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    density = name not in ("ae", "fsq", "ae-mixture")
    assert ({"nll", "negative_elbo", "bits_per_dimension"} <= set(found)) == density
    assert ("nll" in found) == density
    assert {"frechet_distance", "precision", "gaps", "silhouette", "code_shift_blur"} <= set(found)
    assert {"trustworthiness", "linear_probe_accuracy", "squared_error_by_class"} <= set(found)
    assert ("active_units" in found) == (name not in ("fsq", "ae", "ae-mixture"))
    assert ("mmd_to_prior" in found) == density
    assert ("own_accuracy" in found) == (name == "mog-vae")
    assert ("label_fidelity" in found) == (name in ("cvae", "m2"))
    boxed = {"vae", "cvae", "mog-vae", "m2", "ae-mixture"}
    assert ("gaps_in_box" in found) == (name in boxed)
    assert "mig" not in found
    assert all(note.endswith(".") for note in found["notes"].values())
    assert all(low <= high for low, high in found["intervals"].values())


def test_without_labels_pixels_are_compared(many):
    parts = {
        part: dataclasses.replace(getattr(many, part), y=None)
        for part in ("train", "validation", "test")
    }
    bare = dataclasses.replace(many, **parts, classes=(), fingerprint="bare")
    found = evaluate(made("vae", bare), bare, MEASURES, samples=5, images=10).to_dict()
    assert "principal components" in found["notes"]["gaps"]
    assert not {"silhouette", "knn_accuracy", "unsure", "knn_accuracy_blur"} & set(found)
    assert {"frechet_distance", "trustworthiness", "active_units", "nll"} <= set(found)


@pytest.mark.long
def test_vectors_have_no_blur(many):
    parts = {
        part: dataclasses.replace(getattr(many, part), x=getattr(many, part).x.flatten(1) / 255)
        for part in ("train", "validation", "test")
    }
    flat = dataclasses.replace(many, **parts, fingerprint="flat")
    found = evaluate(made("vae", flat), flat, MEASURES, samples=5, images=10).to_dict()
    assert "code_shift_noise" in found
    assert "code_shift_blur" not in found
    assert "ssim" not in found


def test_factors_are_measured_where_they_are_known(many):
    def with_factors(part):
        return dataclasses.replace(
            part, factors=torch.stack([part.y, part.x[:, 0, 0].long() % 4], 1)
        )

    parts = {part: with_factors(getattr(many, part)) for part in ("train", "validation", "test")}
    known = dataclasses.replace(many, **parts, factors=("grey", "noise"), unordered=("grey",))
    found = evaluate(made("ae", known), known, ["disentanglement"]).to_dict()
    assert {"mig", "sap", "modularity", "factor_vae_score", "dci_completeness"} <= set(found)
    assert "grey, noise" in found["notes"]["mig"]


def test_likelihood_is_of_evenly_spread_images(many):
    model = made("vae", many, likelihood="bernoulli")
    found = evaluate(model, many, ["likelihood"], samples=50, images=20)
    nll = {record.name: record for record in found.records}["nll"]
    assert nll.n == 20
    assert "20 evenly spread test examples" in nll.note
    assert "not a likelihood of the grey values" in nll.note
    assert nll.value < found["negative_elbo"]
    assert nll.interval[0] < nll.value < nll.interval[1]


def test_an_unknown_measure(many):
    with pytest.raises(RecipeError, match=r'no measure "gap"\. Did you mean "gaps"'):
        evaluate(made("ae", many), many, ["gap"])


def test_a_turn_by_a_quarter_is_exact():
    x = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(rotated(x, 90), torch.rot90(x, 1, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(rotated(x[:, 0], 180), x[:, 0].flip(1, 2), atol=1e-5, rtol=0)


def test_a_turn_of_an_oblong_image_keeps_lengths():
    x = torch.zeros(1, 9, 21)
    x[0, 4, 8:13] = 1  # five pixels along the middle row
    upright = rotated(x, 90)
    assert upright[0, 2:7, 10].min() > 0.9
    assert upright.sum() == pytest.approx(5, abs=0.1)


@pytest.fixture
def kept(many, tmp_path):
    fitted = fit("vae", many, steps=2, batch_size=40, out=tmp_path / "run", progress=False)
    return fitted.run, fitted.model


def test_what_was_measured_is_not_measured_again(kept, many, monkeypatch):
    run, model = kept
    first = evaluate(model, many, QUICK, MetricsCache(run))
    monkeypatch.setitem(MEASURES, "objective", None)  # would fail if it were called
    assert evaluate(model, many, QUICK, MetricsCache(run)) == first
    assert evaluate(model, many, ["codes"], MetricsCache(run)) == first, "the others are kept"


def test_an_evaluation_that_was_cut_short_goes_on(kept, many, monkeypatch):
    run, model = kept

    def killed(subject):
        raise KeyboardInterrupt
        yield

    whole = evaluate(model, many, QUICK)
    with monkeypatch.context() as patched:
        patched.setitem(MEASURES, "codes", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluate(model, many, QUICK, MetricsCache(run))
        patched.setitem(MEASURES, "reconstruction", killed)
        patched.setitem(MEASURES, "codes", MEASURES["objective"])
    monkeypatch.setitem(MEASURES, "reconstruction", killed)
    assert evaluate(model, many, QUICK, MetricsCache(run)) == whole


def test_other_options_weights_or_damage_are_measured_anew(kept, many):
    run, model = kept
    first = evaluate(model, many, ["likelihood"], MetricsCache(run), samples=5, images=10)
    other = evaluate(model, many, ["likelihood"], MetricsCache(run), samples=6, images=10)
    assert first["nll"] != other["nll"]
    path = run.folder / "evaluation" / "likelihood.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # in a value of one example
    again = evaluate(model, many, ["likelihood"], MetricsCache(run), samples=6, images=10)
    assert again == other
    with torch.no_grad():
        model.decoder.network.out.bias.add_(1)
    run.write_weights(model)
    changed = evaluate(model, many, ["likelihood"], MetricsCache(run), samples=6, images=10)
    assert changed["nll"] != other["nll"]


def test_values_of_single_examples_are_cached_with_their_means(kept, many):
    run, model = kept
    measures = [*QUICK, "likelihood", "shift"]
    for _ in range(2):  # measured, then read
        found = evaluate(model, many, measures, MetricsCache(run), samples=5, images=10)
        each = found.per_example()
        assert {"squared_error", "psnr", "ssim", "ms_ssim", "knn_accuracy", "nll"} <= set(each)
        for name, values in each.items():
            assert (values.dtype, values.shape) == (torch.float32, (len(many.test),))
            assert values.nanmean().item() == pytest.approx(found[name], rel=1e-5)
        measured = ~each["nll"].isnan()
        assert measured.nonzero().flatten().tolist() == list(range(0, 80, 8))
    assert len(list((run.folder / "evaluation").iterdir())) == len(measures)


def test_a_folder_that_cannot_be_written_costs_no_figure(kept, many):
    run, model = kept
    (run.folder / "evaluation").write_text("in the way")
    cache = MetricsCache(run)
    assert evaluate(model, many, ["codes"], cache) == evaluate(model, many, ["codes"])
    assert "should be a folder" in str(cache.error)
