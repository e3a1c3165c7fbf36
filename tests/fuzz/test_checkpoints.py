"""Checkpoints and logs that are valid files, with a right checksum and a wrong content."""

import copy
import json
import os
import signal
import warnings

import pytest
from hypothesis import strategies as st

from autoencode.data import load_data
from autoencode.errors import Interrupted
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.report.figures.training_curves import TrainingCurves
from autoencode.train import fit
from autoencode.train.checkpoint import checkpoints, restore_checkpoint
from autoencode.train.log import Log
from autoencode.train.progress import last_step
from autoencode.train.session import resumed_session
from autoencode.train.trainer import Trainer

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A folder with two checkpoints of an adversarial autoencoder with early stopping."""
    data = load_data("digits")
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    recipe = RECIPES["aae"].set("network.hidden", (8,)).set("terms.match.width", 8)
    update = Trainer.update

    def signalled(self):
        if self.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    settings = {"steps": 8, "batch_size": 20, "checkpoint_every": 3, "validate_every": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", signalled)
        with pytest.raises(Interrupted):
            fit(recipe, data, latent=2, out=folder, patience=5, **settings)
    return folder, resumed_session(open_run(folder), data, False)


def test_checkpoints_of_wrong_content(fuzz, damaged_json, damaged_tensors, interrupted):
    folder, session = interrupted
    path = checkpoints(folder / "state")[0]
    tensors, counters = read_tensors(path)
    state = session.trainer.state

    def read(value):
        write_tensors(path, *value)
        restore_checkpoint(folder / "state", state)
        # Whichever was restored can be trained on, and saved again.
        assert 0 <= state.step <= state.total_steps
        assert all(bool(p.isfinite().all()) for p in state.objective.parameters())
        for _ in range(2):
            state.step += session.trainer.update() is not None
        state.objective.load_state_dict(state.best_weights or state.objective.state_dict())

    meta = st.one_of(st.just(counters), damaged_json(counters))
    fuzz(st.tuples(damaged_tensors(tensors), meta), read)


def test_logs_of_wrong_content(fuzz, damaged_json, interrupted):
    folder, session = interrupted
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert any("validation" in line for line in lines)
    run = session.run
    path = folder / "fuzz" / "log.jsonl"
    path.parent.mkdir()

    def read(lines):
        if not isinstance(lines, list):
            lines = [lines]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        warnings.simplefilter("ignore")
        last_step(path.parent)
        found = copy.copy(run)
        object.__setattr__(found, "folder", path.parent)
        log = found.log()
        curves = TrainingCurves(log, {})
        if log:
            curves.table(), curves.curves(), curves.findings(), curves.alt()
        Log(path, 5, False).close()
        assert all(line["step"] <= 5 for line in found.log())

    fuzz(damaged_json(lines, most=4), read)
