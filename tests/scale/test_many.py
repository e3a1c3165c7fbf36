"""Many trainings at once: each is what it would be alone, and none can hurt another."""

import os
import pickle
import signal
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from autoencode.data import Split, load_data
from autoencode.errors import Diverged, Interrupted, RunError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load
from autoencode.scale import Job, fit_many
from autoencode.scale import jobs as many_module
from autoencode.scale.jobs import default_workers, existing_run
from autoencode.scale.shared import OnDisk, SharedData, share
from autoencode.train import FitResult, fit
from autoencode.train.progress import RunsBar, last_step
from autoencode.train.trainer import Trainer

SMALL = RECIPES["vae"].set("network.hidden", (16,))
BRITTLE = RECIPES["ae-linear"].set("network.hidden", (16, 16))
SETTINGS = {"steps": 40, "batch_size": 50, "checkpoint_every": 10}


def jobs_of(data, folder, seeds=range(3), recipe=SMALL, **settings):
    return [
        Job(recipe, data, folder / f"seed-{s}", {**SETTINGS, "seed": s, **settings}) for s in seeds
    ]


def same(first, second):
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def ill(job):
    """The job with a step size that no training survives."""
    return replace(job, recipe=BRITTLE, settings={**job.settings, "lr": 1e6, "steps": 2000})


def steps_of(fitted: FitResult) -> int:
    return fitted.summary["steps"]


# In this process, one after another.


def test_several_processes_of_torchrun_are_refused(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RunError, match="each of them would train all models"):
        fit_many(jobs_of(digits, tmp_path))
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert len(fit_many(jobs_of(digits, tmp_path, range(1), steps=2), progress=False)) == 1


@pytest.mark.long
def test_one_after_another_is_as_each_alone(digits, tmp_path):
    outcomes = []
    found = fit_many(
        jobs_of(digits, tmp_path),
        workers=1,
        on_trained=steps_of,
        on_finished=outcomes.append,
        progress=False,
    )
    assert [outcome.result for outcome in found] == [40, 40, 40]
    assert outcomes == found
    for outcome in found:
        alone = fit(SMALL, digits, progress=False, **outcome.job.settings)
        assert same(load(outcome.job.out), alone.model)
        assert outcome.run.status == "done"


@pytest.mark.long
def test_what_is_done_is_taken_and_what_was_cut_short_continued(digits, tmp_path, monkeypatch):
    jobs = jobs_of(digits, tmp_path)
    update = Trainer.update

    def stopped(self):
        if self.step == 25 and self.settings.seed == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    monkeypatch.setattr(Trainer, "update", stopped)
    with pytest.raises(Interrupted, match="1 of 3 trainings done; everything is saved") as caught:
        fit_many(jobs, workers=1, progress=False)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    monkeypatch.undo()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["seed-0", "seed-1"]
    first = (tmp_path / "seed-0" / "weights.safetensors").stat().st_mtime_ns

    called = []
    for name in ("fit", "resume"):
        real = getattr(many_module, name)
        monkeypatch.setattr(
            many_module,
            name,
            lambda *a, real=real, name=name, **k: (called.append(name), real(*a, **k))[1],
        )
    found = fit_many(jobs, workers=1, progress=False)
    assert called == ["resume", "fit"]
    assert (tmp_path / "seed-0" / "weights.safetensors").stat().st_mtime_ns == first
    assert same(load(found[1].job.out), fit(SMALL, digits, **jobs[1].settings).model)


def test_one_that_diverges_leaves_the_others_alone(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path)
    jobs[0] = ill(jobs[0])
    found = fit_many(jobs, workers=1, on_trained=steps_of, progress=False)
    assert isinstance(found[0].error, Diverged)
    assert found[0].run is None
    assert [outcome.result for outcome in found[1:]] == [40, 40]


def test_folders_are_refused_before_anything_is_trained(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path)
    with pytest.raises(RunError, match="is given twice"):
        fit_many([*jobs, jobs[0]])
    fit_many(jobs[1:2], progress=False)
    other = [replace(job, settings={**job.settings, "steps": 41}) for job in jobs]
    with pytest.raises(RunError, match="seed-1 exists and is not this training"):
        fit_many(other)
    (tmp_path / "seed-2").mkdir()
    (tmp_path / "seed-2" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="seed-2 exists and is not this training"):
        fit_many(jobs)
    assert not (tmp_path / "seed-0").exists()
    (tmp_path / "seed-2" / "run.json").touch()
    with pytest.raises(RunError):
        fit_many([replace(jobs[2], overwrite=True)], progress=False)
    assert (tmp_path / "seed-2" / "letter.txt").exists()
    replaced = fit_many([replace(other[1], overwrite=True)], progress=False)
    assert replaced[0].run.summary["steps"] == 41


def test_a_folder_from_a_kill_before_there_was_a_run_is_free(digits, tmp_path):
    (tmp_path / "seed-0" / "state").mkdir(parents=True)
    (tmp_path / "seed-0" / "state" / "probe").write_bytes(bytes(10))
    (tmp_path / "seed-0" / "run.lock").touch()
    (found,) = fit_many(jobs_of(digits, tmp_path, seeds=[0]), progress=False)
    assert found.run.status == "done"


def test_the_same_training_is_known(digits, tmp_path):
    """By recipe, settings and data; a network of one's own by what its file says."""
    (tmp_path / "nets.py").write_text(
        "import torch\n"
        "class Encoder(torch.nn.Sequential):\n"
        "    def __init__(self, sizes, features):\n"
        "        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, features))\n"
        "class Decoder(torch.nn.Sequential):\n"
        "    def __init__(self, sizes, channels):\n"
        "        super().__init__(torch.nn.Linear(2, 64), torch.nn.Unflatten(1, (1, 8, 8)))\n"
    )
    recipe = RECIPES["ae"].set("network", str(tmp_path / "nets.py"))
    (job,) = jobs_of(digits, tmp_path / "runs", seeds=[0], recipe=recipe)
    assert existing_run(job) is None
    fit_many([job], progress=False)
    assert existing_run(job).status == "done"
    assert existing_run(replace(job, recipe=recipe.but(latent=3))) is None
    assert existing_run(replace(job, data=load_data("digits", seed=1))) is None
    assert existing_run(replace(job, settings={**job.settings, "lr": 1e-4})) is None
    other = (tmp_path / "nets.py").read_text() + "# more\n"
    (tmp_path / "nets.py").write_text(other)
    assert existing_run(Job(recipe, digits, job.out, job.settings)) is None


def test_how_many_at_once(digits, tmp_path, monkeypatch):
    jobs = jobs_of(digits, tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 5})
    assert default_workers(jobs) == 3
    monkeypatch.setattr(
        many_module, "choose_device", lambda wanted: torch.device("cuda")
    )  # nothing is trained on it
    assert default_workers(jobs) == 1


# What they share.


@pytest.mark.long
def test_shared_data_are_the_same(tmp_path):
    sources = {
        "labels": load_data("digits"),
        "factors": load_data("sprites"),
        "vectors beside": load_data(
            np.random.default_rng(0).random((60, 6, 6), np.float32),
            vectors=np.random.default_rng(1).random((60, 3), np.float32),
        ),
        "bits": load_data("digits", binarise="dynamic"),
    }
    for name, data in sources.items():
        shared = pickle.loads(pickle.dumps(SharedData.of(data, tmp_path / name)))
        again = shared.data()
        for part in ("train", "validation", "test"):
            for each in fields(Split):
                before, after = (getattr(getattr(d, part), each.name) for d in (data, again))
                if isinstance(before, torch.Tensor):
                    assert before.dtype == after.dtype
                    assert torch.equal(before, after)
                else:
                    assert before == after
        assert replace(again, train=None, validation=None, test=None) == replace(
            data, train=None, validation=None, test=None
        )
        again.train.x[0] = 0  # reaches no one else
        assert torch.equal(shared.data().train.x, data.train.x)


def test_data_larger_than_memory_are_not_copied(digits, tmp_path, monkeypatch):
    assert isinstance(share(digits, tmp_path / "small"), SharedData)
    monkeypatch.setattr("autoencode.scale.shared.available", lambda: digits.train.x.numel())
    shared = share(digits, tmp_path / "large")
    assert isinstance(shared, OnDisk)
    assert not (tmp_path / "large").exists()
    assert shared.data().fingerprint == digits.fingerprint
    arrays = load_data(digits.train.x)
    assert isinstance(share(arrays, tmp_path / "array"), SharedData), "nowhere else to be had"


def test_errors_cross_to_another_process_whole():
    for error in (Diverged("It diverged", "Less."), Interrupted("Stopped", "Go on.", signal=15)):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (str(again), again.what, again.fix) == (str(error), error.what, error.fix)
        assert again.exit_code == error.exit_code


def test_the_bar_follows_the_logs(tmp_path, capsys):
    for name, text in {
        "a": '{"step": 10}\n{"step": 30}\n',
        "b": '{"step": 5}\n{"st',
        "c": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_text(text)
    folders = [tmp_path / name for name in "abcd"]
    assert [last_step(folder) for folder in folders] == [30, 5, 0, 0]
    with RunsBar(folders, [100] * 4, wanted=True) as bar:
        bar.refresh()
        assert bar.progress.tasks[0].completed == 35
        bar.finish(2)
        bar.refresh()
        assert bar.progress.tasks[0].completed == 135
    assert "1/4 runs" in capsys.readouterr().err
