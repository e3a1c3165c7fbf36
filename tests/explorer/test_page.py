"""The page as a file, and its content."""

import base64
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import AutoencodeError, RunError
from autoencode.explorer.page import asset, html, title_of, write_explorer
from autoencode.explorer.page_payload import page_payload
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
        # Without the sampler fitted to codes after training, which would take most of the time.
        recipe = RECIPES[name].set("network.hidden", (16,)).but(sampler=None)
        more = {} if latent is None else {"latent": latent}
        fit(recipe, digits, out=folder / name, **SETTINGS, **more)
        found[name] = open_run(folder / name)
    return found


@pytest.fixture
def of(runs, digits, unpacked):
    """of("ae", "vae", points=100) -> (the header, the blobs) of their page."""
    return lambda *names, **options: unpacked(
        page_payload([runs[name] for name in names], data=digits, **options)
    )


def test_shows_the_same_examples_in_every_model(of, digits, array_of):
    header, blobs = of("ae", "vae", points=100)
    assert header["examples"]["count"] == 100
    assert header["examples"]["total"] == len(digits.test)
    labels = array_of(blobs, header["examples"]["labels"])
    # Stratified by class.
    shares = np.bincount(labels, minlength=10) / 100
    assert np.abs(shares - np.bincount(digits.test.y, minlength=10) / len(digits.test)).max() < 0.02
    for model in header["models"]:
        assert array_of(blobs, model["codes"]).shape == (100, model["code_shape"][0])


def test_codes_and_plane_belong_to_the_model(of, runs, digits, array_of):
    header, blobs = of("vae")
    (found,) = header["models"]
    model = runs["vae"].load_model()
    with torch.no_grad():
        codes = model.encoder(digits.test.x).numpy()
    assert np.allclose(array_of(blobs, found["codes"]), codes, atol=1e-6)
    origin, axes = (array_of(blobs, found["plane"][name]) for name in ("origin", "axes"))
    assert np.allclose(array_of(blobs, found["points"]), (codes - origin) @ axes.T, atol=1e-5)
    assert len(found["kl"]) == 5


def test_discrete_codes_are_stored_as_codebook_indices(of, runs, digits, array_of):
    header, blobs = of("vq-vae", points=50)
    (found,) = header["models"]
    model = runs["vq-vae"].load_model()
    assert "codes" not in found
    vectors, indices = (array_of(blobs, found["codebook"][name]) for name in ("vectors", "indices"))
    assert len(vectors) == 1
    assert indices.max() < vectors.shape[1]
    with torch.no_grad():
        z = model.encode(digits.test.x[:1]).z[0].numpy()
    assert len(z) == indices.shape[1] * vectors.shape[2]


def test_a_conditional_model_has_the_labels_of_the_examples(of, array_of):
    header, blobs = of("cvae")
    (found,) = header["models"]
    assert found["context"]["kind"] == "labels"
    assert not found["context"]["predicted"]
    labels = array_of(blobs, found["context"]["values"])
    assert np.array_equal(labels, array_of(blobs, header["examples"]["labels"]))


def test_a_page_may_run_only_its_own_program(runs, digits, tmp_path):
    path = write_explorer([runs["ae"]], tmp_path / "page.html", data=digits)
    text = path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'none'" in policy
    for tag, name in (("script", "script-src"), ("style", "style-src")):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = [
            f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'"
            for each in inline
        ]
        assert f"{name} {' '.join(digests)};" in policy
    marks = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?:src|href)=\"(?!data:)", marks)


def test_the_check_for_damage_is_before_all_that_is_long(runs, digits, tmp_path):
    """The tests in web/ cut pages off in browsers; a script that is cut off never runs."""
    path = write_explorer([runs["ae"]], tmp_path / "page.html", data=digits)
    text = path.read_text(encoding="utf-8")
    check = text.index("This page is damaged or incomplete")
    assert check < text.index("</script>") < min(text.index("<style>"), text.index("<title>"))
    assert check < 1500
    assert 'dataset.started=""' in asset("explorer.js")


def undeclared(header, source):
    """The keys of a header that the page does not declare; those of graphs are tested elsewhere."""
    if isinstance(header, list):
        return {key for each in header for key in undeclared(each, source)}
    if not isinstance(header, dict):
        return set()
    missing = {key for key in header if not re.search(rf"\b{key}\??:", source)}
    inner = [value for key, value in header.items() if key not in ("graph", "corruption")]
    return missing | undeclared(inner, source)


def test_the_page_declares_every_key_of_the_header(of):
    source = (Path(__file__).parents[2] / "web" / "src" / "content.ts").read_text(encoding="utf-8")
    for names in (("ae", "vae"), ("cvae",), ("vq-vae",)):
        assert undeclared(of(*names, points=20)[0], source) == set()


def test_only_a_served_page_may_connect():
    assert "connect-src 'self'" in html(b"", "x", live=True)
    assert " data-live>" in html(b"", "x", live=True)
    assert " data-live>" not in html(b"", "x")


def test_a_title_is_text(runs):
    assert "<b>" not in html(b"", "<b>x</b>")
    assert title_of([runs["ae"], runs["vae"]]) == "ae and vae · digits"


def test_refuses_runs_of_other_data(runs, tmp_path):
    other = load_data(np.random.default_rng(0).random((60, 8, 8), np.float32))
    fit(RECIPES["ae"].set("network.hidden", (8,)), other, out=tmp_path / "other", **SETTINGS)
    with pytest.raises(RunError, match="trained on different data"):
        page_payload([runs["ae"], open_run(tmp_path / "other")])
    with pytest.raises(RunError, match="no run to explore"):
        page_payload([])


def test_refuses_a_latent_space_without_a_plane(digits, tmp_path):
    recipe = RECIPES["ae"].set("network.hidden", (8,))
    fit(recipe, digits, latent=1, out=tmp_path / "one", **SETTINGS)
    with pytest.raises(AutoencodeError, match="one dimension"):
        page_payload([open_run(tmp_path / "one")], data=digits)


def test_snapshots_have_the_plane_of_each_step(digits, tmp_path, unpacked, array_of):
    recipe = RECIPES["vae"].set("network.hidden", (16,))
    fit(recipe, digits, latent=3, snapshots=4, out=tmp_path / "run", **SETTINGS)
    header, blobs = unpacked(page_payload([open_run(tmp_path / "run")], data=digits))
    snapshots = header["models"][0]["snapshots"]
    assert snapshots[0]["step"] == 0
    assert snapshots[-1]["step"] == SETTINGS["steps"]
    points = array_of(blobs, header["models"][0]["points"])
    last = array_of(blobs, snapshots[-1]["points"])
    assert np.allclose(last, points[: len(last)], atol=0.02)
    assert snapshots[0]["cell"] == [8, 8]
