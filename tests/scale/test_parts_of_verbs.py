"""Scores and reconstructions in parts are those of one process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencode as ae
from autoencode.errors import AutoencodeError, DataError
from autoencode.io.store import read_json
from autoencode.models.run import open_run
from autoencode.scale.collections import (
    write_anomalies_in_parts,
    write_codes_in_parts,
    write_reconstructions_in_parts,
)
from autoencode.use.anomalies import write_anomalies
from autoencode.use.reconstructions import write_reconstructions

parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def parts(cluster):
    return {"cluster": cluster, "part_size": 50}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """210 colour images in folders by class, a tenth of them noise, in two formats."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for i in range(210):
        kind = "odd" if i % 10 == 0 else ("left", "right")[i % 2]
        (folder / kind).mkdir(exist_ok=True)
        pixels = draw.integers(0, 256 if kind == "odd" else 60, (8, 8, 3))
        if kind != "odd":
            pixels[:, : 4 if kind == "left" else 8] += 100
        image = Image.fromarray(pixels.astype(np.uint8))
        image.save(folder / kind / f"{i:04d}.{'bmp' if i % 3 else 'png'}")
    return folder


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "vae"
    data = ae.load_data(images, normal=["left", "right"])
    ae.fit("vae", data, latent=3, steps=60, out=out, progress=False)
    return out


@pytest.fixture(scope="module")
def training(run):
    return open_run(run).load_data()


def tables(whole, parts):
    """Both tables by name, and the order of the names."""
    first, second = parquet.read_table(whole).to_pydict(), parquet.read_table(parts).to_pydict()
    assert first["name"] == second["name"]
    assert first["label"] == second["label"]
    return first, second


@pytest.mark.parametrize("method", ["reconstruction", "density", "neighbours", "elbo"])
def test_scores(method, run, images, training, tmp_path, parts):
    how = {"method": method, "normal": ("left", "right"), "samples": 400 if method == "elbo" else 1}
    whole = write_anomalies(ae.load(run), images, tmp_path / "whole.parquet", training, **how)
    out = tmp_path / "scores"
    found = write_anomalies_in_parts(run, images, out, training, **how, **parts)
    first, second = tables(tmp_path / "whole.parquet", out)
    # Importance samples are drawn anew for each part.
    close = {"rtol": 0.05, "atol": 0.5} if method == "elbo" else {"rtol": 1e-4}
    np.testing.assert_allclose(second["score"], first["score"], **close)
    assert found.n == whole.n == 210
    assert found.threshold == pytest.approx(whole.threshold, rel=1e-5)
    assert found.origin == whole.origin
    assert found.auroc.value == pytest.approx(whole.auroc.value, abs=0.02)
    assert found.flagged == sum(second["anomaly"])
    assert read_json(out / "_manifest.json")["threshold"] == found.threshold


def test_a_threshold_that_follows_from_the_scores(run, images, tmp_path, parts):
    how = {"contamination": 0.1}
    whole = write_anomalies(ae.load(run), images, tmp_path / "whole.parquet", **how)
    out = tmp_path / "scores"
    for _ in range(2):  # the second call finds all parts
        found = write_anomalies_in_parts(run, images, out, **how, **parts)
        first, second = tables(tmp_path / "whole.parquet", out)
        assert second["anomaly"] == first["anomaly"]
        assert sum(second["anomaly"]) == found.flagged == whole.flagged == 21
    assert found.auroc is None, "no normal classes were given"


def test_maps(run, images, training, tmp_path, parts):
    write_anomalies(ae.load(run), images, tmp_path / "whole.csv", training, maps=tmp_path / "whole")
    for _ in range(2):
        write_anomalies_in_parts(
            run, images, tmp_path / "scores", training, maps=tmp_path / "maps", **parts
        )
    assert same_images(tmp_path / "whole", tmp_path / "maps", tolerance=2) == 210
    with pytest.raises(AutoencodeError, match="white in maps") as caught:
        write_anomalies_in_parts(
            run, images, tmp_path / "more", contamination=0.1, maps=tmp_path / "none", **parts
        )
    assert caught.value.fix == "Leave out --maps, or --workers and --cluster."


def same_images(first, second, tolerance):
    """The number of images, which have the same names and pixels in both folders."""
    names = [str(path.relative_to(first)) for path in sorted(first.rglob("*")) if path.is_file()]
    others = [path for path in sorted(second.rglob("*")) if path.is_file()]
    assert [str(p.relative_to(second)) for p in others if not p.name.startswith("_")] == names
    for name in names:
        pair = [np.asarray(Image.open(folder / name)).astype(int) for folder in (first, second)]
        assert abs(pair[0] - pair[1]).max() <= tolerance
    return len(names)


def test_reconstructions(run, images, tmp_path, parts):
    whole = write_reconstructions(ae.load(run), images, tmp_path / "whole")
    out = tmp_path / "parts"
    found = write_reconstructions_in_parts(run, images, out, **parts)
    assert same_images(tmp_path / "whole", out, tolerance=1) == 210
    assert (found.n, found.notices) == (210, whole.notices)
    assert found.error == pytest.approx(whole.error, rel=1e-5)
    manifest = read_json(out / "_manifest.json")
    assert manifest["squared_error"] == found.error
    assert [part["rows"] for part in manifest["parts"]] == [50, 50, 50, 50, 10]
    assert not list(out.glob(".part-*"))
    assert write_reconstructions_in_parts(run, images, out, **parts) == found
    with pytest.raises(AutoencodeError, match="with another verb: reconstruct, and embed"):
        write_codes_in_parts(run, images, out, **parts)


def test_a_model_that_is_trained_anew_does_not_go_on_with_the_parts(run, images, tmp_path, parts):
    copy = tmp_path / "run"
    recipe = ae.RECIPES["ae"].set("network.linear", "none")  # else all seeds begin at PCA
    for seed in (0, 1):
        ae.fit(recipe, images, steps=2, out=copy, seed=seed, progress=False, overwrite=True)
        if seed == 0:
            write_codes_in_parts(copy, images, tmp_path / "codes", **parts)
            before = parquet.read_table(tmp_path / "codes").to_pydict()
    with pytest.raises(AutoencodeError, match="parts with another weights"):
        write_codes_in_parts(copy, images, tmp_path / "codes", **parts)
    write_codes_in_parts(copy, images, tmp_path / "more", **parts)
    assert parquet.read_table(tmp_path / "more").to_pydict()["z1"] != before["z1"]


def test_images_that_would_have_one_name(run, images, tmp_path, parts):
    folder = tmp_path / "images"
    for name in ("a.png", "a.gif", "b.png"):
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    with pytest.raises(AutoencodeError, match=r"a\.gif and a\.png differ in their endings alone"):
        write_reconstructions_in_parts(run, folder, tmp_path / "parts", **parts)
    with pytest.raises(AutoencodeError, match=r"Two examples would be written as a\.png"):
        write_reconstructions(ae.load(run), folder, tmp_path / "whole")
    assert not (tmp_path / "parts").exists()
    assert not (tmp_path / "whole").exists()
    (folder / "a.gif").rename(folder / "c.gif")  # as the error says
    assert write_reconstructions(ae.load(run), folder, tmp_path / "whole").n == 3
    assert write_reconstructions_in_parts(run, folder, tmp_path / "parts", **parts).n == 3


def test_an_unknown_class_is_refused(run, images, training, tmp_path, parts):
    with pytest.raises(DataError, match='there is no class "lft"'):
        write_anomalies_in_parts(
            run, images, tmp_path / "scores", training, normal=("lft",), **parts
        )


def test_the_commands(run, images, tmp_path, cluster):
    def said(*words):
        done = subprocess.run(
            [sys.executable, "-m", "autoencode", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout + done.stderr

    code, text = said("anomalies", run, "--data", images, "--workers", "2", "--out", "scores")
    assert code == 0, text
    assert "210 examples" in text
    assert "AUROC" in text
    assert "parts                scores" in text
    more = ("--data", images, "--cluster", cluster.scheduler.address)
    code, text = said("denoise", run, *more, "--out", "clean")
    assert code == 0, text
    assert "was not trained to remove noise" in text
    assert "clean: 210 images denoised, in parts; MSE between input and output" in text
    code, text = said("reconstruct", run, *more, "--out", "pairs.png")
    assert code == 2
    assert "Give a folder: --out pairs." in text
    code, text = said("reconstruct", run, "--workers", "2", "--out", "none")
    assert code == 2
    assert "Give --data." in text
    assert len(list(Path(tmp_path / "clean").rglob("*.png"))) == 70
