"""What a run keeps: the share of known labels, and the code of a network of the user's own."""

import json
import sys
from hashlib import sha256

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import Interrupted, RunError
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train.trainer import Trainer

QUICK = {"steps": 3, "batch_size": 20}
# Leaves a mark beside itself each time that it is executed.
OWN = """
from pathlib import Path
from torch import nn

Path(__file__).with_name(f"executed-{len(list(Path(__file__).parent.glob('executed-*')))}").touch()

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


def test_the_share_of_known_labels_is_a_fact_of_the_data(tmp_path):
    few = load_data("digits", labelled=50)
    recipe = RECIPES["m2"].set("network.hidden", (8,))
    fitted = fit(recipe, few, out=tmp_path / "run", **QUICK)
    share = 50 / len(few.train)
    assert fitted.model.sizes.labelled == pytest.approx(share)
    assert open_run(tmp_path / "run").sizes == fitted.model.sizes
    assert fit(recipe, few, labelled=None, **QUICK).model.sizes.labelled is None
    assert fit("ae", few, **QUICK).model.sizes.labelled is None


def test_a_run_of_an_older_version_opens(tmp_path):
    fitted = fit(RECIPES["ae"].set("network.hidden", (8,)), "digits", out=tmp_path, **QUICK)
    path = tmp_path / "run.json"
    record = json.loads(path.read_text())
    del record["sizes"]["labelled"], record["network_sha256"]
    path.write_text(json.dumps(record))
    assert open_run(tmp_path) == fitted.run
    del record["data"]["preprocessing"]
    path.write_text(json.dumps(record))
    assert open_run(tmp_path).preprocessing is None
    assert len(open_run(tmp_path).data_for().test) == 359
    record["sizes"]["labelled"] = 2
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"sizes\.labelled must be a finite number from 0 to 1"):
        open_run(tmp_path)


@pytest.fixture
def forget():
    """Forgets the code that was loaded, as a new process would."""

    def forgotten():
        for name in [name for name in sys.modules if name.startswith("autoencode_own_")]:
            del sys.modules[name]

    yield forgotten
    forgotten()


@pytest.fixture
def trained(tmp_path, forget):
    """The file of a network, and a run that was trained with it in another process."""
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "mine.py"
    path.write_text(OWN)
    recipe = RECIPES["vae"].but(network=Spec(str(path)))
    fitted = fit(recipe, "digits", out=tmp_path / "run", **QUICK)
    assert load(tmp_path / "run").recipe == fitted.run.recipe, "trusted where it was trained"
    assert len(list(tmp_path.rglob("executed-*"))) == 1
    forget()
    return path, fitted


def test_code_of_a_run_is_executed_with_consent_only(trained, monkeypatch, tmp_path, forget):
    path, fitted = trained
    digest = sha256(OWN.encode()).hexdigest()
    assert (tmp_path / "run" / "network.py").read_text() == OWN
    for path_now in ("there", "changed", "gone"):
        if path_now == "changed":
            path.write_text("raise ValueError('another network')")
        if path_now == "gone":
            path.unlink()
        monkeypatch.delenv("AUTOENCODE_TRUST", raising=False)
        with pytest.raises(RunError, match=rf"executes .*network\.py.*AUTOENCODE_TRUST={digest}"):
            open_run(tmp_path / "run")
        assert not list((tmp_path / "run").glob("executed-*"))
        monkeypatch.setenv("AUTOENCODE_TRUST", f"{'0' * 64},{digest}")
        again = load(tmp_path / "run")
        x = torch.rand(3, 8, 8)
        torch.testing.assert_close(again(x).images, fitted.model(x).images)
        for mark in (tmp_path / "run").glob("executed-*"):
            mark.unlink()
        forget()


def test_a_run_that_moved_is_built_from_its_own_copy(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOENCODE_TRUST", sha256(OWN.encode()).hexdigest())
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    run = open_run(moved)
    assert run.recipe.network.kind == str(moved / "network.py")
    run.load_model()


def test_code_that_was_loaded_from_ones_own_path_is_trusted(trained, tmp_path):
    path, _ = trained
    RECIPES["vae"].but(network=Spec(str(path)))
    found, weights = load(tmp_path / "run"), open_run(tmp_path / "run").load_model().state_dict()
    assert weights
    assert all(torch.equal(found.state_dict()[name], each) for name, each in weights.items())


def test_a_copy_that_was_changed_is_refused_whoever_is_trusted(trained, monkeypatch, tmp_path):
    copy = tmp_path / "run" / "network.py"
    copy.write_text(OWN + "\n")
    monkeypatch.setenv("AUTOENCODE_TRUST", sha256(copy.read_bytes()).hexdigest())
    with pytest.raises(RunError, match="not the file that"):
        open_run(tmp_path / "run")
    copy.unlink()
    with pytest.raises(RunError, match=r"network\.py is missing"):
        open_run(tmp_path / "run")
    assert not list((tmp_path / "run").glob("executed-*"))


def test_a_strangers_recipe_executes_nothing(tmp_path):
    """A run of ours, whose recipe names a file that lies somewhere on the disk."""
    fit(RECIPES["ae"].set("network.hidden", (8,)), "digits", out=tmp_path / "run", **QUICK)
    (tmp_path / "evil.py").write_text(OWN)
    recipe = tmp_path / "run" / "recipe.json"
    given = json.loads(recipe.read_text())
    given["network"] = {"kind": str(tmp_path / "evil.py"), "args": {}}
    recipe.write_text(json.dumps(given))
    with pytest.raises(RunError, match=r"network\.py"):
        open_run(tmp_path / "run")
    (tmp_path / "run" / "network.py").write_text(OWN)
    with pytest.raises(RunError, match="not the file that"):
        open_run(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["network_sha256"] = sha256(OWN.encode()).hexdigest()
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="AUTOENCODE_TRUST"):
        open_run(tmp_path / "run")
    assert not list(tmp_path.rglob("executed-*"))


def test_a_run_of_own_code_goes_on_with_its_copy(tmp_path, monkeypatch, forget):
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    recipe = RECIPES["vae"].but(network=Spec(str(path)))
    whole = fit(recipe, "digits", **QUICK)
    update = Trainer.update

    def stopped(self):
        if self.step == 2:
            self.interrupt(15)
        return update(self)

    monkeypatch.setattr(Trainer, "update", stopped)
    with pytest.raises(Interrupted):
        fit(recipe, "digits", out=tmp_path / "run", **QUICK)
    monkeypatch.setattr(Trainer, "update", update)
    path.unlink()
    forget()
    with pytest.raises(RunError, match="AUTOENCODE_TRUST"):
        resume(tmp_path / "run")
    monkeypatch.setenv("AUTOENCODE_TRUST", sha256(OWN.encode()).hexdigest())
    for ours, theirs in zip(
        resume(tmp_path / "run").model.parameters(), whole.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
