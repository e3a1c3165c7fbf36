"""Training that runs away: exit code 3, and the last good state is kept."""

import math

import pytest
import torch

from autoencode.cli.main import main
from autoencode.errors import Diverged
from autoencode.io.tensors import read_tensors
from autoencode.models.objective import Objective
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit
from autoencode.train.checkpoint import checkpoints


class NanGradient(torch.autograd.Function):
    """The value itself, with NaN for its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * math.nan


def newest(run):
    return read_tensors(checkpoints(run / "state")[0])


@pytest.mark.parametrize("poisoned", [34, 49])
def test_a_nan_gradient_without_clipping_spares_the_checkpoints(
    digits, tmp_path, monkeypatch, poisoned
):
    """Met by the next step's loss, or by the checkpoint that comes first."""
    forward, steps = Objective.forward, []

    def poison(self, x, c=None):
        output = forward(self, x, c)
        steps.extend([self] * self.training)
        if len(steps) != poisoned + 1:
            return output
        return output._replace(loss=NanGradient.apply(output.loss))

    monkeypatch.setattr(Objective, "forward", poison)
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    with pytest.raises(Diverged, match=f"step {poisoned + 1}"):
        fit(recipe, digits, out=tmp_path / "run", steps=100, batch_size=50, checkpoint_every=10)
    tensors, meta = newest(tmp_path / "run")
    assert meta["step"] == poisoned // 10 * 10
    kept = [t for name, t in tensors.items() if name.startswith(("model", "optimizer"))]
    assert len(kept) > 8
    assert all(bool(t.isfinite().all()) for t in kept)


def test_a_huge_step_size_leaves_with_3_and_can_be_looked_into(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line, code in (
        (
            "train ae-linear --data digits --lr 1e6 --set network.hidden=[16,16] --compile off "
            "--out run",
            3,
        ),
        ("evaluate run", 2),
    ):
        with pytest.raises(SystemExit) as left:
            main(line.split())
        assert left.value.code == code
    diverged, unfinished = capsys.readouterr().err.splitlines()
    assert diverged.startswith("error: Training diverged at step ")
    assert "the last good state is in run/state" in diverged
    assert "Try a smaller learning rate (--lr 100000)" in diverged
    assert "run has no trained weights: its training diverged. Train again" in unfinished
    assert open_run("run").status == "diverged"
    assert newest(tmp_path / "run")
