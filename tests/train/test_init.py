"""Training that begins with the weights of a run."""

import pytest
import torch

from autoencode.errors import RunError
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit


def test_training_may_begin_with_the_weights_of_a_run(digits, tmp_path):
    short = {"steps": 3, "batch_size": 50, "progress": False}
    first = fit("vae", digits, out=tmp_path / "first", **short)
    on = fit("vae", digits, init=str(tmp_path / "first"), **short | {"lr": 0.0})
    for (name, ours), theirs in zip(
        on.model.state_dict().items(), first.model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    # Another prior begins as it was built, and the rest is taken over.
    vamp = RECIPES["vae"].set("prior", "vamp")
    assert fit(vamp, digits, init=str(tmp_path / "first"), **short).summary["steps"] == 3


def test_beginning_with_another_network_is_refused(digits, tmp_path):
    short = {"steps": 2, "batch_size": 50, "progress": False}
    fit("ae", digits, out=tmp_path / "first", **short)
    with pytest.raises(RunError, match="encoder"):
        fit("ae", digits, latent=5, init=str(tmp_path / "first"), **short)
