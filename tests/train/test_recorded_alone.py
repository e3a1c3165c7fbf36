"""One training whose updates are made as those of many are: what `--compile on` does on a GPU."""

import os
import signal
import sys

import pytest
import torch

from autoencode.errors import Diverged, Interrupted, RecipeError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train.lockstep.stack import Stack

pytestmark = pytest.mark.long

SMALL = RECIPES["vae"].set("network.hidden", ())
SETTINGS = {"steps": 30, "batch_size": 50, "checkpoint_every": 10, "precision": "float32"}


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(sys.modules[fit.__module__], "is_recorded", lambda loop: True)


def test_it_is_what_it_is_else(digits, request):
    plain = fit(SMALL, digits, progress=False, **SETTINGS)
    request.getfixturevalue("recorded")
    state = torch.get_rng_state()
    found = fit(SMALL, digits, progress=False, **SETTINGS)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.run is None
    assert found.summary["steps"] == 30
    weights = found.model.state_dict(), plain.model.state_dict()
    torch.testing.assert_close(*weights, rtol=1e-2, atol=1e-3)


def test_interrupted_and_resumed_is_bit_for_bit_the_same(digits, tmp_path, monkeypatch, recorded):
    whole = fit(SMALL, digits, progress=False, **SETTINGS)
    updates = Stack.updates

    def stopped(self, step, rates):
        if step == 15:
            os.kill(os.getpid(), signal.SIGTERM)
        return updates(self, step, rates)

    monkeypatch.setattr(Stack, "updates", stopped)
    with pytest.raises(Interrupted, match="everything is saved"):
        fit(SMALL, digits, out=tmp_path / "cut", progress=False, **SETTINGS)
    monkeypatch.setattr(Stack, "updates", updates)
    assert open_run(tmp_path / "cut").status == "interrupted"
    resume(tmp_path / "cut", data=digits, progress=False)
    found = load(tmp_path / "cut").state_dict()
    torch.testing.assert_close(found, whole.model.state_dict(), rtol=0, atol=0)


def test_what_goes_wrong_is_said_as_ever(digits, tmp_path, monkeypatch, recorded):
    updates = Stack.updates

    def ill(self, step, rates):
        if step == 7:
            self.tensors[0][0] = torch.nan
        return updates(self, step, rates)

    monkeypatch.setattr(Stack, "updates", ill)
    with pytest.raises(Diverged, match="diverged at step 7"):
        fit(SMALL, digits, out=tmp_path / "ill", progress=False, **SETTINGS)
    assert open_run(tmp_path / "ill").status == "diverged"
    with pytest.raises(RecipeError, match="cannot be compiled"):
        fit("sphere-vae", digits, progress=False, **SETTINGS)


def test_without_a_folder_control_c_keeps_its_meaning(digits, monkeypatch, recorded):
    updates = Stack.updates

    def stopped(self, step, rates):
        signal.raise_signal(signal.SIGINT)
        return updates(self, step, rates)

    monkeypatch.setattr(Stack, "updates", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, digits, progress=False, **SETTINGS)
