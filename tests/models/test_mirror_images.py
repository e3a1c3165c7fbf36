"""Continuous images that are as usual as their mirror images are mirrored in training."""

import re

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.cli.main import main
from autoencode.data.mirror import mirrored_error_ratio
from autoencode.models.adaptation import for_data
from autoencode.models.run import open_run
from autoencode.train.session import adapted


def smooth(n, one_sided, channels=3, seed=0):
    """Images [n, C, 8, 8] of a bright spot, on the left only if `one_sided`, in soft colours."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8]
    across = draw.uniform(0.5, 3 if one_sided else 6.5, (n, 1, 1, 1))
    down = draw.uniform(1, 6, (n, 1, 1, 1))
    spot = np.exp(-((x - across) ** 2 + (y - down) ** 2) / 6)
    colour = draw.uniform(0.2, 0.6, (n, channels, 1, 1))
    return (0.15 + colour * spot + draw.normal(0, 0.02, (n, channels, 8, 8))).astype(np.float32)


def data_of(images):
    return ae.load_data(images, value_range=(0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_ratio_tells_what_is_as_usual_when_it_is_mirrored(channels):
    both, left = (torch.from_numpy(smooth(900, side, channels)) for side in (False, True))
    assert mirrored_error_ratio(both) == pytest.approx(1, abs=0.02)
    assert mirrored_error_ratio(left) > 1.2
    assert mirrored_error_ratio((both * 255).round().byte()) == pytest.approx(1, abs=0.02)


def test_few_images_do_not_tell():
    assert mirrored_error_ratio(torch.from_numpy(smooth(150, False))) == float("inf")


@pytest.mark.parametrize("name", ["ae", "conv-ae", "vae"])
def test_only_images_that_look_the_same_are_mirrored(name):
    recipe = ae.RECIPES[name]
    changed, notices = for_data(recipe, data_of(smooth(2400, one_sided=False)))
    assert changed.training["flip"] is True
    ratio = re.search(r"\(without: --no-flip\).* with ([\d.]+) times the error", notices[-1])
    assert float(ratio[1]) == pytest.approx(1, abs=0.03)
    # With the likelihood of a VAE, interpolated images are other data.
    assert changed.training.get("augment") == (None if name == "vae" else 0.7)
    assert ("70% of them" in notices[-1]) == (name != "vae")
    changed, notices = for_data(recipe, data_of(smooth(2400, one_sided=True)))
    assert "flip" not in changed.training
    assert "mirror" not in " ".join(notices)


@pytest.mark.parametrize("name", ["denoising-ae", "vq-vae", "ae-deep"])
def test_a_recipe_that_does_not_begin_at_pca_stays_as_it_is(name):
    recipe = ae.RECIPES[name]
    changed, _ = for_data(recipe, data_of(smooth(2400, one_sided=False)))
    assert changed.training.get("flip") == (True if "linear" in changed.network.args else None)


def test_what_is_given_counts():
    data = data_of(smooth(2400, one_sided=False))
    kept = ae.RECIPES["ae"].but(training={"flip": False, "augment": 0.0})
    changed, notices = for_data(kept, data)
    assert changed.training == kept.training
    assert "mirror" not in " ".join(notices)
    changed, notices = for_data(kept.but(training={"flip": False}), data)
    assert changed.training == {"flip": False, "augment": 0.7}
    assert "images are rotated, scaled and sheared a little, 70% of them" in notices[-1]
    recipe, _ = adapted(ae.RECIPES["ae"], data, {"flip": False})
    assert ae.train.Settings.of(recipe, {"flip": False}).flip is False
    settings = {"steps": 5, "progress": False, "compile": "off"}
    default, on, off = (
        ae.fit("ae", data, **settings, **given).model.state_dict()
        for given in ({}, {"flip": True}, {"flip": False})
    )
    assert all(torch.equal(default[key], on[key]) for key in on)
    assert any(not torch.equal(default[key], off[key]) for key in off)


def test_the_options_of_the_command(tmp_path, capsys):
    np.save(tmp_path / "spots.npy", smooth(2400, one_sided=False))
    words = ["train", "ae", "--data", str(tmp_path / "spots.npy"), "--range", "0", "1"]
    words += ["--steps", "3", "--no-report", "--out"]
    for more, flip in ([], True), (["--no-flip"], False), (["--flip"], True):
        out = tmp_path / ("-".join(more) or "default")
        with pytest.raises(SystemExit) as ended:
            main([*words, str(out), *more])
        assert ended.value.code == 0
        assert open_run(out).settings["flip"] is flip
        said = capsys.readouterr().err
        assert ("images are mirrored at random" in said) == (not more)
        assert "70% of them (without: --augment 0)" in said
