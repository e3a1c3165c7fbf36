"""The page as a file, and what it is made of."""

import base64
import hashlib
import re

import numpy as np
import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import AutoencodeError, RunError
from autoencode.explorer.page import html, title_of, write_explorer
from autoencode.explorer.page_payload import scene
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit

pytestmark = pytest.mark.long

SETTINGS = {"steps": 10, "batch_size": 50, "progress": False}


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """Small runs on digits, by recipe."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for name, latent in (("ae", 2), ("vae", 5), ("cvae", 3), ("vq-vae", None)):
        # Without what is fitted to codes after training: it takes longer than all else here.
        recipe = RECIPES[name].set("network.hidden", (16,)).but(sampler=None)
        more = {} if latent is None else {"latent": latent}
        fit(recipe, digits, out=folder / name, **SETTINGS, **more)
        found[name] = open_run(folder / name)
    return found


@pytest.fixture
def of(runs, digits, unpacked):
    """of("ae", "vae", points=100) -> (the header, the blobs) of their page."""
    return lambda *names, **options: unpacked(
        scene([runs[name] for name in names], data=digits, **options)
    )


def test_shows_the_same_examples_in_every_model(of, digits, array_of):
    header, blobs = of("ae", "vae", points=100)
    assert header["examples"]["shown"] == 100
    assert header["examples"]["of"] == len(digits.test)
    labels = array_of(blobs, header["examples"]["labels"])
    # Each class at its share.
    shares = np.bincount(labels, minlength=10) / 100
    assert np.abs(shares - np.bincount(digits.test.y, minlength=10) / len(digits.test)).max() < 0.02
    for model in header["models"]:
        assert array_of(blobs, model["codes"]).shape == (100, model["shape"][0])


def test_codes_and_plane_are_those_of_the_model(of, runs, digits, array_of):
    header, blobs = of("vae")
    (found,) = header["models"]
    model = runs["vae"].load_model()
    with torch.no_grad():
        codes = model.encoder(digits.test.x).numpy()
    assert np.allclose(array_of(blobs, found["codes"]), codes, atol=1e-6)
    origin, axes = (array_of(blobs, found["plane"][name]) for name in ("origin", "axes"))
    assert np.allclose(array_of(blobs, found["points"]), (codes - origin) @ axes.T, atol=1e-5)
    assert len(found["nats"]) == 5


def test_discrete_codes_travel_as_entries_of_their_book(of, runs, digits, array_of):
    header, blobs = of("vq-vae", points=50)
    (found,) = header["models"]
    model = runs["vq-vae"].load_model()
    assert "codes" not in found
    values, index = (array_of(blobs, found["book"][name]) for name in ("values", "index"))
    assert index.max() < len(values)
    with torch.no_grad():
        z = model.encode(digits.test.x[:1]).z[0].numpy()
    assert len(z) == index.shape[1] * values.shape[1]


def test_a_conditional_model_brings_what_it_was_told(of, array_of):
    header, blobs = of("cvae")
    (found,) = header["models"]
    assert found["context"]["source"] == "labels"
    told = array_of(blobs, found["context"]["told"])
    assert np.array_equal(told, array_of(blobs, header["examples"]["labels"]))


def test_a_page_may_run_its_own_program_only(runs, digits, tmp_path):
    path = write_explorer([runs["ae"]], tmp_path / "page.html", data=digits)
    text = path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'none'" in policy
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    marks = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)=\"(?!data:)", marks)


def test_a_title_is_text(runs):
    assert "<b>" not in html(b"", "<b>x</b>")
    assert title_of([runs["ae"], runs["vae"]]) == "ae and vae · digits"


def test_refuses_runs_of_other_data(runs, tmp_path):
    other = load_data(np.random.default_rng(0).random((60, 8, 8), np.float32))
    fit(RECIPES["ae"].set("network.hidden", (8,)), other, out=tmp_path / "other", **SETTINGS)
    with pytest.raises(RunError, match="trained on different data"):
        scene([runs["ae"], open_run(tmp_path / "other")])
    with pytest.raises(RunError, match="no run to explore"):
        scene([])


def test_refuses_codes_without_a_plane(digits, tmp_path):
    recipe = RECIPES["ae"].set("network.hidden", (8,))
    fit(recipe, digits, latent=1, out=tmp_path / "one", **SETTINGS)
    with pytest.raises(AutoencodeError, match="single numbers"):
        scene([open_run(tmp_path / "one")], data=digits)


def test_a_film_has_the_plane_of_each_step(digits, tmp_path, unpacked, array_of):
    recipe = RECIPES["vae"].set("network.hidden", (16,))
    fit(recipe, digits, latent=3, snapshots=4, out=tmp_path / "filmed", **SETTINGS)
    header, blobs = unpacked(scene([open_run(tmp_path / "filmed")], data=digits))
    frames = header["models"][0]["film"]
    assert [frame["step"] for frame in frames][:1] == [0]
    assert frames[-1]["step"] == SETTINGS["steps"]
    points = array_of(blobs, header["models"][0]["points"])
    last = array_of(blobs, frames[-1]["points"])
    assert np.allclose(last, points[: len(last)], atol=0.02)
    assert frames[0]["cell"] == [8, 8]
