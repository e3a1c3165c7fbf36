"""Labels, vectors, few labels, corruptions, samplers and own networks on the command line."""

import sys

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.long

QUICK = "--data digits --steps 30 --batch-size 50 --no-report --set network.hidden=[32]"


def test_a_conditional_model_draws_the_class_that_is_asked_for(run, folder):
    run(f"train cvae {QUICK} --out cvae")
    message = run("generate cvae --label 3 --n 4 --out threes.png")
    assert 'with the class "3"' in message.out
    turns = run("generate cvae --n 20 --out turns.png")
    assert "with each class in turn" in turns.out
    assert (folder / "threes.png").read_bytes() != (folder / "turns.png").read_bytes()
    assert "There is no class" in run("generate cvae --label x --out c.png").error
    assert run("reconstruct cvae --n 4 --out pairs.png").code == 0
    assert run("interpolate cvae --out between.png").code == 0


def test_a_model_of_few_labels_is_judged_by_its_predictions(run):
    outcome = run(f"train m2 {QUICK} --labelled 50 --out m2 --json")
    assert 0 < outcome.json["classification_error"] < 1
    assert run("evaluate m2 --measures quick --json").json["classification_error"] == pytest.approx(
        outcome.json["classification_error"]
    )
    assert "--labelled" in run(f"train m2 {QUICK} --out all").error
    assert "valid integer" in run(f"train m2 {QUICK} --labelled many --out x").err
    none = run(f"train m2 {QUICK} --labelled 0 --out x").error
    assert "labelled must be a whole number from 1" in none


def test_a_corrupted_input_is_measured_against_the_clean_one(run, folder):
    line = QUICK.replace("--steps 30", "--steps 300").replace("--no-report", "")
    found = run(f"train denoising-ae {line} --out d --json").json
    # Noise of variance 1/4 on 64 pixels, clipped to [0, 1].
    assert 3 < found["corrupted_squared_error"] < 16
    assert found["squared_error"] < found["restored_squared_error"]
    assert found["restored_squared_error"] < 0.6 * found["corrupted_squared_error"]
    assert "Denoising</h2>" in (folder / "d" / "report.html").read_text()


def test_a_fitted_sampler_is_drawn_from(run, folder):
    run(f"train ae-mixture {QUICK} --out run")
    message = run("generate run --n 9 --out a.png")
    assert "the fitted sampler, mixture" in message.out
    with Image.open(folder / "a.png") as picture:
        assert picture.size[0] > 8


def test_discrete_codes_have_a_report_without_ways_between_them(run, folder):
    line = QUICK.replace("--no-report", "--latent 8 --set sampler.steps=5")
    assert run(f"train fsq {line} --out run").code == 0
    page = (folder / "run" / "report.html").read_text()
    assert "Samples from random codes" in page
    assert "Interpolation</h2>" not in page
    assert "fitted sampler, autoregressive" in run("generate run --n 4 --out a.png").out
    assert "code book" in run("interpolate run --out b.png").error


def test_vectors_condition_a_model(run, folder):
    generator = np.random.default_rng(0)
    np.save("x.npy", generator.integers(0, 256, (60, 6, 6)).astype(np.uint8))
    np.save("c.npy", generator.normal(size=(60, 2)).astype(np.float32))
    base = "train vae --data x.npy --steps 5 --batch-size 20 --no-report --set context=vectors"
    assert "--vectors" in run(f"{base} --out a").error
    assert run(f"{base} --vectors c.npy --out b").code == 0
    assert run("evaluate b --measures quick").code == 0
    assert run("generate b --n 4 --out b.png").code == 0
    np.save("short.npy", np.zeros((59, 2), np.float32))
    assert "(59, 2)" in run(f"{base} --vectors short.npy --out c").error
    np.save("nan.npy", np.full((60, 2), np.nan, np.float32))
    assert "not finite" in run(f"{base} --vectors nan.npy --out d").error


OWN = """
from torch import nn

class Encoder(nn.Module):
    def __init__(self, sizes, features):
        super().__init__()
        self.linear = nn.Linear(sizes.pixels, features)
    def forward(self, x):
        return self.linear(x.flatten(1))

class Decoder(nn.Module):
    def __init__(self, sizes, channels):
        super().__init__()
        self.linear = nn.Linear(sizes.latent, channels * sizes.pixels)
        self.shape = (channels, *sizes.x)
    def forward(self, z):
        return self.linear(z).reshape(-1, *self.shape)
"""


def test_a_network_of_ones_own(run, folder, monkeypatch):
    (folder / "mine.py").write_text(OWN)
    base = "train vae --data digits --steps 5 --no-report --set"
    assert run(f"{base} network=mine.py --out run").code == 0
    assert run("evaluate run --measures quick").code == 0
    for name in [name for name in sys.modules if name.startswith("autoencode_own_")]:
        del sys.modules[name]  # as in a process that has not trained it
    error = run("evaluate run --measures quick").error
    assert "network.py" in error
    allowed, digest = error.split()[-1].split("=")
    monkeypatch.setenv(allowed, digest)
    assert run("evaluate run --measures quick").code == 0
    (folder / "wrong.py").write_text(OWN.replace("pixels, features", "pixels, features + 1"))
    assert "(2, 4) is expected" in run(f"{base} network=wrong.py --out wrong").error
    assert "cannot be read" in run(f"{base} network=none.py --out none").error
