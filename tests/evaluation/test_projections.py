"""Maps of a run's test codes: which are drawn, what is kept, and when it is made anew."""

import dataclasses

import pytest
import torch

from autoencode.data import Data, Split
from autoencode.errors import AutoencodeError, DataError
from autoencode.evaluation import embed, projected, saved_projection
from autoencode.evaluation import projections as module
from autoencode.explore import project
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of a conditional model, and its data: 60 test examples, half of them of class 0."""
    generator = torch.Generator().manual_seed(0)

    def split(count):
        y = torch.arange(count) % 2 * (1 + torch.arange(count) % 4 // 2)
        return Split(torch.rand(count, 8, 8, generator=generator), y)

    data = Data(
        "made", "", {}, split(90), split(20), split(60), classes=("a", "b", "c"), fingerprint="m"
    )
    recipe = RECIPES["cvae"].but(latent=4).set("network.hidden", (16,))
    out = tmp_path_factory.mktemp("runs") / "cvae"
    return fit(recipe, data, out=out, steps=2, batch_size=20), data


@pytest.fixture
def run(made, tmp_path):
    """A copy of that run, without maps."""
    import shutil

    shutil.copytree(made[0].run.folder, tmp_path / "run")
    return dataclasses.replace(made[0].run, folder=tmp_path / "run")


def test_a_map_is_that_of_the_test_codes_and_is_made_once(run, made, monkeypatch):
    data, model = made[1], run.load_model()
    found = projected(run, data, model)
    codes = embed(model, data.test.x, data.test.y)
    assert torch.equal(found.points, project(codes))
    assert torch.equal(found.rows, torch.arange(60))
    assert (found.method, found.seed, found.of) == ("tsne", 0, 60)
    tensors, meta = read_tensors(run.folder / "projections" / "tsne.safetensors")
    assert torch.equal(tensors["points"], found.points)
    assert meta["method"] == "tsne"
    assert (meta["seed"], meta["data"], len(meta["weights"])) == (0, "m", 64)

    monkeypatch.setattr(module, "project", None)  # would fail if it were called
    again = projected(run, data)
    assert torch.equal(again.points, found.points)
    assert torch.equal(again.rows, found.rows)
    assert torch.equal(saved_projection(run, "tsne").points, found.points)
    assert saved_projection(run, "umap") is None


def test_of_many_codes_some_are_drawn_each_class_at_its_share(run, made, monkeypatch):
    data = made[1]
    monkeypatch.setattr(module, "MAX_POINTS", 20)
    found = projected(run, data, method="pca")
    assert (len(found.points), found.of) == (20, 60)
    assert found.rows.diff().min() > 0
    assert torch.bincount(data.test.y[found.rows]).tolist() == [10, 5, 5]
    codes = embed(run.load_model(), data.test.x[found.rows], data.test.y[found.rows])
    torch.testing.assert_close(found.points, project(codes, "pca"), atol=1e-5, rtol=1e-4)
    other = projected(run, data, method="pca", seed=1)
    assert other.seed == 1
    assert not torch.equal(other.rows, found.rows)
    assert saved_projection(run, "pca").seed == 1


def test_examples_without_labels_have_a_map(made, tmp_path):
    data = made[1]
    parts = {name: Split(getattr(data, name).x, None) for name in ("train", "validation", "test")}
    bare = dataclasses.replace(data, **parts, classes=())
    recipe = RECIPES["ae"].but(latent=3).set("network.hidden", (16,))
    run = fit(recipe, bare, out=tmp_path / "ae", steps=2, batch_size=20).run
    assert projected(run, bare, method="pca").points.shape == (60, 2)


def test_a_map_of_other_weights_or_a_damaged_one_is_made_anew(run, made):
    data, model = made[1], run.load_model()
    first = projected(run, data, method="pca")
    path = run.folder / "projections" / "pca.safetensors"
    path.write_bytes(path.read_bytes()[:-30])
    assert saved_projection(run, "pca") is None
    assert torch.equal(projected(run, data, method="pca").points, first.points)
    with torch.no_grad():
        for weights in model.encoder.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    run.write_weights(model)
    assert saved_projection(run, "pca") is None
    assert not torch.equal(projected(run, data, method="pca").points, first.points)


def test_a_map_that_does_not_fit_itself_is_not_taken(run, made):
    projected(run, made[1], method="pca")
    path = run.folder / "projections" / "pca.safetensors"
    tensors, meta = read_tensors(path)
    for points, rows in (
        (tensors["points"][:5], tensors["rows"]),
        (tensors["points"], -rows_of(60)),
    ):
        write_tensors(path, {"points": points, "rows": rows}, meta)
        assert saved_projection(run, "pca") is None


def rows_of(n):
    return torch.arange(1, n + 1)


def test_a_folder_that_cannot_be_written_costs_no_map(run, made):
    (run.folder / "projections").write_text("in the way")
    assert projected(run, made[1], method="pca").points.shape == (60, 2)
    assert saved_projection(run, "pca") is None


def test_what_has_no_map(run, made):
    other = dataclasses.replace(made[1], fingerprint="other")
    with pytest.raises(DataError, match="not the data"):
        projected(run, other)
    with pytest.raises(AutoencodeError, match="no projection"):
        projected(run, made[1], method="som")
