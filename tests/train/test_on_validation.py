"""What is called after each validation, and how it ends a training."""

import sys

import cloudpickle
import pytest

from autoencode.errors import Pruned
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.scale import Job, fit_many
from autoencode.train import fit, resume

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it
SMALL = RECIPES["ae"].set("network.hidden", (8,))
SETTINGS = {"steps": 12, "batch_size": 50, "validate_every": 4, "checkpoint_every": 3}


def stop_at_eight(step, found):
    if step == 8:
        raise Pruned(f"stopped at {step}")


def test_each_validation_is_given_and_changes_nothing(digits):
    seen = {}
    called = fit(SMALL, digits, progress=False, on_validation=seen.__setitem__, **SETTINGS)
    assert list(seen) == [4, 8, 12]
    assert all({"loss", "terms", "squared_error"} <= found.keys() for found in seen.values())
    alone = fit(SMALL, digits, progress=False, **SETTINGS)
    for name, value in alone.model.state_dict().items():
        assert value.equal(called.model.state_dict()[name])


def test_an_error_ends_the_training_which_can_be_resumed(digits, tmp_path):
    with pytest.raises(Pruned, match="stopped at 8"):
        fit(SMALL, digits, out=tmp_path, progress=False, on_validation=stop_at_eight, **SETTINGS)
    assert open_run(tmp_path).status == "interrupted"
    assert open_run(tmp_path).summary["steps"] == 8
    with pytest.raises(Pruned):
        resume(tmp_path, data=digits, progress=False, on_validation=stop_at_eight)
    assert resume(tmp_path, data=digits, progress=False).summary["steps"] == 12
    seen = {}
    more = resume(tmp_path, data=digits, steps=4, progress=False, on_validation=seen.__setitem__)
    assert more.summary["steps"] == 16
    assert list(seen) == [16]


def test_in_many_trainings_it_ends_its_own_only(digits, tmp_path):
    jobs = [
        Job(SMALL, digits, tmp_path / "0", SETTINGS, on_validation=stop_at_eight),
        Job(SMALL, digits, tmp_path / "1", SETTINGS),
    ]
    first, second = fit_many(jobs, workers=1, progress=False)
    assert isinstance(first.error, Pruned)
    assert first.run is None
    assert second.error is None


@pytest.mark.long
def test_in_other_processes(digits, tmp_path):
    jobs = [
        Job(SMALL, digits, tmp_path / str(n), SETTINGS, on_validation=stop_at_eight)
        for n in range(2)
    ]
    for outcome in fit_many(jobs, workers=2, progress=False):
        assert str(outcome.error) == "stopped at 8"
        assert open_run(outcome.job.out).status == "interrupted"
