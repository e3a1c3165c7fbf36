import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from autoencode.contract import ForwardPass, Term
from autoencode.data import Split
from autoencode.errors import DataError, Diverged
from autoencode.evaluation import Record, evaluate, ssim
from autoencode.models.recipes.table import RECIPES
from autoencode.parts import TERMS

SHAPES = [(6, 5), (3, 9, 8), (11,)]
CONV = [(name, shape) for name in ("conv-ae", "conv-vae") for shape in SHAPES[:2]]
DENSE = [(name, shape) for name in ("ae", "ae-dropout", "vae") for shape in SHAPES]


def figures(model, data, **options):
    found = evaluate(model, data, **options).to_dict()
    return json.loads(json.dumps(found, allow_nan=False))


def numbers(x):
    x = x.double().flatten(1).numpy()
    return x / 255 if x.max() > 1 else x


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_autoencoder_with_the_weights_of_pca_misses_what_pca_misses(
    shape, make_model, make_data
):
    data, model = make_data(shape), make_model("ae-linear", shape)
    pca = PCA(3).fit(numbers(data.train.x))
    axes, mean = (torch.from_numpy(a).float() for a in (pca.components_, pca.mean_))
    with torch.no_grad():
        head, out = model.encoder.network.head, model.decoder.network.out
        head.weight.copy_(axes)
        head.bias.copy_(-axes @ mean)
        out.weight.copy_(axes.T)
        out.bias.copy_(mean)
    found = figures(model, data, batch_size=7)
    test = numbers(data.test.x)
    again = pca.inverse_transform(pca.transform(test))
    errors = ((test - again) ** 2).sum(1)
    assert found["squared_error"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found["squared_error_stderr"] == pytest.approx(
        errors.std(ddof=1) / math.sqrt(23), rel=1e-4
    )
    assert found["squared_error_per_pixel"] == pytest.approx(errors.mean() / test[0].size, rel=1e-5)
    reference = ((test - numbers(data.train.x).mean(0)) ** 2).sum(1).mean()
    assert found["squared_error_of_mean"] == pytest.approx(reference, rel=1e-5)
    assert found["squared_error_of_pca"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found["squared_error_above_pca"] == pytest.approx(0, abs=1e-5)
    assert found["psnr"] == pytest.approx(np.mean(-10 * np.log10(errors / test[0].size)), rel=1e-5)
    if len(shape) > 1:
        images = (torch.from_numpy(each).reshape(-1, *shape) for each in (test, again))
        assert found["ssim"] == pytest.approx(ssim(*images).mean().item(), abs=1e-5)
    # −ln N(x; x̂, ½ I) is the squared error and a constant.
    nats = errors.mean() + test[0].size / 2 * math.log(math.pi)
    assert found["terms"] == {"reconstruction": pytest.approx(nats, rel=1e-5)}
    assert found["loss"] == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize(("name", "shape"), [*DENSE, *CONV])
@pytest.mark.parametrize("labels", [True, False])
def test_what_has_a_meaning_is_there_and_the_rest_is_not(
    name, shape, labels, make_model, make_data
):
    found = figures(make_model(name, shape), make_data(shape, labels=labels))
    random, image = "vae" in name, len(shape) > 1
    single = {"squared_error", "squared_error_stderr", "squared_error_per_pixel", "loss", "psnr"}
    single |= {"squared_error_of_mean"} | ({"ssim", "ms_ssim"} if image else {"r2", "r2_of_pca"})
    single |= {"squared_error_of_pca", "squared_error_above_pca"}
    single |= {"knn_accuracy"} if labels else set()
    several = {"kl_per_dimension", "active_dimensions"} if random else set()
    several |= {"best_examples", "worst_examples", "worst_names", "worst_errors", "pca_dimensions"}
    several |= {"squared_error_by_class"} if labels else set()
    terms = {"reconstruction", "kl"} if random else {"reconstruction"}
    assert set(found) == single | several | {
        "data",
        "n_test",
        "terms",
        "units",
        "notes",
        "intervals",
    }
    assert all(isinstance(found[key], float) for key in single)
    assert set(found["terms"]) == terms
    described = single | several | {f"terms.{term}" for term in terms}
    assert set(found["units"]) == set(found["notes"]) == described
    assert found["n_test"] == 23
    assert ("images" in found["units"]["squared_error"]) == image
    if random:
        assert len(found["kl_per_dimension"]) == 3
        assert sum(found["kl_per_dimension"]) == pytest.approx(found["terms"]["kl"], rel=1e-5)


def test_every_record_says_its_unit_and_how_it_was_measured(make_model, make_data):
    evaluation = evaluate(make_model("vae", (6, 5)), make_data((6, 5)))
    assert all(record.unit and record.note.endswith(".") for record in evaluation.records)
    assert {record.n for record in evaluation.records} == {23}
    notes = {record.name: record.note for record in evaluation.records}
    assert "training codes, queries test codes" in notes["knn_accuracy"]
    assert "1 for each, under a fixed seed" in notes["terms.kl"]
    unit = "squared error summed over pixels in [0, 1], mean over test images"
    assert evaluation.to_dict()["units"]["squared_error"] == unit


def test_the_terms_of_a_vae_against_torch_distributions(make_model, make_data):
    recipe = RECIPES["vae"].set("terms.kl.weight", 4)
    # So many draws that two evaluations by different noise agree.
    recipe = recipe.but(samples=1000)
    model, data = make_model(recipe, (6, 5)), make_data((6, 5))
    found = evaluate(model, data, batch_size=7).to_dict()
    x = torch.from_numpy(numbers(data.test.x)).float()
    torch.manual_seed(11)
    code = model.encode(x.reshape(-1, 6, 5))
    q = Normal(code.z.detach(), code.q.stddev.detach())
    z = q.sample((20_000,))
    with torch.no_grad():
        images = model.decode(z[:1000]).mean.flatten(2)
    nats = -Bernoulli(images, validate_args=False).log_prob(x).sum(-1)
    rate = (q.log_prob(z) - Normal(0, 1).log_prob(z)).sum(-1)
    for name, draws in {"reconstruction": nats, "kl": rate}.items():
        # Of one example the draws vary; that examples differ is no error.
        error = (draws.var(0) / len(draws)).mean().sqrt().item() / math.sqrt(23)
        assert error < 0.01 * draws.mean().item()
        assert found["terms"][name] == pytest.approx(draws.mean().item(), abs=5 * error)
    weighted = found["terms"]["reconstruction"] + 4 * found["terms"]["kl"]
    assert found["loss"] == pytest.approx(weighted, rel=1e-6)
    assert "1000 for each" in found["notes"]["loss"]


@pytest.mark.parametrize("name", ["ae-dropout", "conv-ae"])
def test_batches_of_unequal_size_weigh_what_they_hold(name, make_model, make_data):
    model, data = make_model(name, (6, 5)), make_data((6, 5))
    whole, parts = (figures(model, data, batch_size=size) for size in (2048, 20))
    for key in ("squared_error", "squared_error_of_mean", "psnr", "ssim", "loss"):
        assert parts[key] == pytest.approx(whole[key], rel=1e-5)
    assert parts["terms"] == pytest.approx(whole["terms"], rel=1e-5)


def test_evaluating_changes_nothing_and_gives_the_same_again(make_model, make_data):
    model, data = make_model("vae", (6, 5)).train(), make_data((6, 5))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parts = [part.x.clone() for part in (data.train, data.validation, data.test)]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = figures(model, data)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert figures(model, data) == first
    assert figures(model.eval(), data) == first
    assert not model.training
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in weights)
    assert all(parameter.grad is None for parameter in model.parameters())
    now = [part.x for part in (data.train, data.validation, data.test)]
    assert all(torch.equal(a, b) for a, b in zip(parts, now, strict=True))


def test_dropout_is_silent_in_training_mode_too(make_model, make_data):
    model, data = make_model("ae-dropout", (6, 5)), make_data((6, 5))
    quiet = figures(model, data)
    assert figures(model.train(), data) == quiet
    assert model.training


class Probe(Term):
    """A statistic of the batch that says whether the term is in training mode."""

    formula = "t"

    def forward(self, p: ForwardPass) -> Tensor:
        return torch.tensor(float(self.training))


def test_terms_too_are_in_evaluation_mode(make_model, make_data, monkeypatch):
    monkeypatch.setitem(TERMS, "probe", Probe)
    recipe = RECIPES["ae"].set("terms.extra", "probe")
    model = make_model(recipe, (6, 5)).train()
    found = evaluate(model, make_data((6, 5)), batch_size=7).to_dict()
    assert found["terms"]["extra"] == 0
    assert found["loss"] == pytest.approx(found["terms"]["reconstruction"])


def test_only_the_test_part_is_measured(make_model, make_data):
    model, data = make_model("vae", (6, 5)), make_data((6, 5))
    other = make_data((6, 5), seed=1)
    swapped = dataclasses.replace(data, train=other.train, validation=other.validation)
    first, second = figures(model, data), figures(model, swapped)
    assert first["squared_error_of_mean"] != second["squared_error_of_mean"]
    of_training = ("squared_error_of_pca", "squared_error_above_pca", "knn_accuracy")
    for found in (first, second):
        del found["squared_error_of_mean"]
        for name in of_training:
            del found[name], found["intervals"][name]
    assert first == second


def test_knn_accuracy_takes_its_neighbours_from_training(make_model, make_data):
    data = make_data((6, 5))
    model = make_model("ae-linear", (6, 5), latent=1)
    with torch.no_grad():  # the code is the brightness, which the label decides
        model.encoder.network.head.weight.fill_(1 / 30)
    assert figures(model, data)["knn_accuracy"] == 1.0
    turned = Split(data.train.x, (data.train.y + 1) % 3)
    wrong = dataclasses.replace(data, train=turned)
    assert figures(model, wrong)["knn_accuracy"] == 0.0


def test_active_dimensions_are_those_with_nats(make_model, make_data):
    model, data = make_model("vae", (6, 5)), make_data((6, 5))
    with torch.no_grad():  # the second of three means and log-variances is the prior's
        head = model.encoder.network.head
        head.weight[[1, 4]] = 0
        head.bias[[1, 4]] = 0
    found = figures(model, data)
    assert found["kl_per_dimension"][1] == 0
    assert found["active_dimensions"] == 2


def test_one_test_example_has_no_standard_error(make_model, make_data):
    found = figures(make_model("vae", (6, 5)), make_data((6, 5), test=1, train=1))
    assert "squared_error_stderr" not in found
    assert found["n_test"] == 1
    assert found["knn_accuracy"] in (0.0, 1.0)


def test_no_test_examples(make_model, make_data):
    with pytest.raises(DataError, match='"made" has no test examples'):
        evaluate(make_model("ae", (6, 5)), make_data((6, 5), test=0))


def test_data_of_another_shape(make_model, make_data):
    with pytest.raises(DataError, match=r"shape \(6, 5\), and these are \(7, 5\)"):
        evaluate(make_model("ae", (6, 5)), make_data((7, 5)))


@pytest.mark.parametrize("name", ["ae", "vae"])
def test_weights_that_are_not_finite_are_said_so(name, make_model, make_data):
    model = make_model(name, (6, 5))
    with torch.no_grad():
        model.encoder.network.head.bias[0] = math.nan
    with pytest.raises(Diverged, match="squared_error of this model is not a finite") as caught:
        evaluate(model, make_data((6, 5)))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, (1.0, math.nan)])
def test_no_record_is_not_a_number(value):
    with pytest.raises(Diverged, match="loss"):
        Record("loss", value, "nats", 1, "")
