"""The weights that a training keeps on its way."""

import pytest
import torch

from autoencode.errors import RunError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.models.snapshots import load_snapshot, snapshot_steps, snapshots_of
from autoencode.train import fit

SETTINGS = {"batch_size": 50, "progress": False}


@pytest.mark.parametrize(
    ("total", "frames"), [(1, 2), (7, 40), (50_000, 24), (1000, 2), (10, 1000)]
)
def test_steps_begin_and_end_and_are_about_so_many(total, frames):
    steps = snapshot_steps(total, frames)
    assert steps[0] == 0
    assert steps[-1] == total
    assert steps == sorted(set(steps))
    assert len(steps) <= frames + 1


def test_frames_are_the_models_of_their_steps(digits, tmp_path):
    recipe = RECIPES["vae"].set("network.hidden", (16,))
    fitted = fit(recipe, digits, steps=20, snapshots=4, out=tmp_path / "run", **SETTINGS)
    run = open_run(tmp_path / "run")
    frames = snapshots_of(run)
    assert list(frames) == snapshot_steps(20, 4)
    x = digits.test.x[:20]
    with torch.no_grad():
        last = load_snapshot(run, frames[20]).encoder(x)
        assert torch.allclose(last, fitted.model.encoder(x), atol=0.02)
        assert not torch.allclose(last, load_snapshot(run, frames[0]).encoder(x), atol=0.02)


def test_a_film_changes_no_weight(digits, tmp_path):
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    plain = fit(recipe, digits, steps=20, **SETTINGS)
    filmed = fit(recipe, digits, steps=20, snapshots=5, out=tmp_path / "run", **SETTINGS)
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor, filmed.model.state_dict()[name]), name


def test_a_damaged_frame_is_refused(digits, tmp_path):
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    fit(recipe, digits, steps=5, snapshots=2, out=tmp_path / "run", **SETTINGS)
    run = open_run(tmp_path / "run")
    path = snapshots_of(run)[5]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RunError, match="damaged"):
        load_snapshot(run, path)
