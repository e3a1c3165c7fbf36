"""Anomaly scores, thresholds and figures, against independent computations."""

import csv

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.data import Split
from autoencode.errors import AutoencodeError, DataError, RecipeError
from autoencode.use.anomalies import heat, write_anomalies
from autoencode.use.scores import METHODS, Scorer, score

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def trained():
    data = ae.load_data("digits", normal="0", validation=0.3)
    recipe = ae.RECIPES["vae"].set("likelihood", "bernoulli")
    return ae.fit(recipe, data, latent=3, steps=300, progress=False)


def test_only_the_normal_class_is_learned():
    data = ae.load_data("digits", normal="0")
    assert set(data.train.y.tolist()) == set(data.validation.y.tolist()) == {0}
    whole = ae.load_data("digits")
    assert len(data.train) + len(data.validation) + len(data.test) == sum(
        len(getattr(whole, part)) for part in ("train", "validation", "test")
    )
    assert set(data.test.y.tolist()) == set(range(10))
    two = ae.load_data("digits", normal=["3", "5"])
    assert set(two.train.y.tolist()) == {3, 5}
    assert any("Only 3, 5 is learned" in notice for notice in two.notices)


def test_a_test_part_of_the_source_stays_as_it_is():
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, 256, (60, 4, 4), np.uint8), np.arange(60) % 3
    data = ae.load_data(((x[:40], y[:40]), (x[40:], y[40:])), normal="1")
    assert torch.equal(data.test.x, torch.from_numpy(x[40:]))
    assert set(data.train.y.tolist()) == {1}


@pytest.mark.parametrize(
    ("normal", "message"),
    [("ten", 'no class "ten"'), ([], "normal is"), ("", "normal is")],
)
def test_normal_classes_that_are_none_are_refused(normal, message):
    with pytest.raises(DataError, match=message):
        ae.load_data("digits", normal=normal)


def test_normal_needs_labels():
    with pytest.raises(DataError, match="no labels"):
        ae.load_data(np.zeros((20, 4, 4)), normal="a")


def test_scores_are_those_of_their_definition(trained):
    model = trained.model
    test = Split(trained.data.test.x[:100], None)
    x = test.x.float()
    z = model.encode(x).z
    wanted = (model.decode(z).mean - x).square().flatten(1).sum(1)
    torch.testing.assert_close(score(model, test), wanted.double(), rtol=1e-4, atol=1e-5)
    elbo = score(model, test, "elbo", samples=300)
    code = model.encode(x)
    nll = -model.decode(model.encode(x, samples=300).z).log_prob(x).mean(0)
    kl = torch.distributions.kl_divergence(code.q, model.prior())
    torch.testing.assert_close(elbo.float(), nll + kl, rtol=0.03, atol=0.3)
    assert (score(model, test, "likelihood", samples=300) <= elbo + 1e-3).all()
    train = model.encode(trained.data.train.x.float()).z
    scaled = (z - train.mean(0)) / train.std(0, correction=0)
    near = torch.cdist(scaled, (train - train.mean(0)) / train.std(0, correction=0))
    wanted = near.topk(5, largest=False).values[:, -1]
    found = score(model, test, "neighbours", training=trained.data)
    torch.testing.assert_close(found.float(), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_other_digits_have_higher_scores(trained, method):
    test = trained.data.test
    some = Split(test.x[::4], test.y[::4])
    found = score(trained.model, some, method, training=trained.data, samples=20)
    odd = some.y.numpy() != 0
    assert (found[odd].median() > found[~odd]).double().mean() > 0.8
    again = score(trained.model, some, method, training=trained.data, samples=20)
    assert torch.equal(found, again)


def test_what_a_score_needs_is_said(trained):
    plain = ae.fit("ae", "digits", steps=1, progress=False).model
    with pytest.raises(RecipeError, match="posterior and a prior"):
        score(plain, "digits", "elbo")
    with pytest.raises(DataError, match=r"training=data\.train"):
        score(plain, "digits", "density")
    with pytest.raises(RecipeError, match="method"):
        Scorer(plain, "best")


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_names_labels_scores_and_decisions(trained, tmp_path, monkeypatch):
    data = trained.data
    monkeypatch.setattr("autoencode.use.anomalies.DRAWS", 50)
    done = write_anomalies(
        trained.model, data, tmp_path / "s.csv", data, normal=["0"], quantile=0.9
    )
    rows = read(tmp_path / "s.csv")
    scores = np.array([float(row["score"]) for row in rows])
    np.testing.assert_allclose(scores, score(trained.model, data.test))
    validation = score(trained.model, data.validation)
    assert done.threshold == pytest.approx(float(validation.quantile(0.9)))
    assert [int(row["anomaly"]) for row in rows] == (scores > done.threshold).astype(int).tolist()
    assert [row["label"] for row in rows] == [data.classes[y] for y in data.test.y]
    assert (done.n, done.flagged) == (len(rows), (scores > done.threshold).sum())
    odd = data.test.y.numpy() != 0
    pairs = scores[odd][:, None] > scores[~odd]  # no ties
    assert done.auroc.value == pytest.approx(pairs.mean())
    assert done.auroc.low < done.auroc.value < done.auroc.high


def test_the_threshold_follows_from_the_contamination(trained, tmp_path):
    done = write_anomalies(trained.model, trained.data, tmp_path / "s.csv", contamination=0.1)
    assert done.flagged == pytest.approx(0.1 * done.n, abs=1)
    assert done.auroc is None
    with pytest.raises(DataError, match="--contamination"):
        write_anomalies(trained.model, trained.data, tmp_path / "t.csv")


def test_maps_show_where_the_errors_are(trained, tmp_path):
    from PIL import Image

    write_anomalies(
        trained.model, trained.data, tmp_path / "s.csv", trained.data, maps=tmp_path / "m"
    )
    assert len(list((tmp_path / "m").iterdir())) == len(trained.data.test)
    with Image.open(tmp_path / "m" / "0.png") as image:
        assert image.size == (8, 8)
    error = np.zeros((4, 4))
    error[1, 2] = 2
    from io import BytesIO

    with Image.open(BytesIO(heat(error, 2))) as image:
        pixels = np.asarray(image).sum(-1)
    assert pixels[1, 2] > 600
    assert (pixels.ravel() > 100).sum() == 1


def test_new_data_with_their_own_labels(tmp_path, monkeypatch):
    """A model of a folder without classes scores folders named good and broken."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for kind, high, n in (("good", 100, 40), ("broken", 256, 15)):
        for i in range(n):
            path = tmp_path / "new" / kind / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, high, (6, 6), np.uint8)).save(path)
    data = ae.load_data(tmp_path / "new" / "good", no_labels=True)
    monkeypatch.setattr("autoencode.use.anomalies.DRAWS", 50)
    run = ae.fit("ae", data, latent=2, steps=50, progress=False)
    done = write_anomalies(
        run.model, tmp_path / "new", tmp_path / "s.csv", run.data, normal=["good"]
    )
    assert done.auroc.value > 0.95
    with pytest.raises(DataError, match='no class "goof"'):
        write_anomalies(run.model, tmp_path / "new", tmp_path / "t.csv", run.data, normal=["goof"])


def test_outputs_are_whole_or_absent(trained, tmp_path):
    with pytest.raises(AutoencodeError, match="unknown ending"):
        write_anomalies(trained.model, trained.data, tmp_path / "s.txt", trained.data)
    with pytest.raises(DataError):
        write_anomalies(trained.model, np.zeros((3, 4, 4)), tmp_path / "s.csv", trained.data)
    with pytest.raises(RecipeError, match="quantile"):
        write_anomalies(trained.model, trained.data, tmp_path / "s.csv", trained.data, quantile=2.0)
    assert not any(tmp_path.iterdir())
