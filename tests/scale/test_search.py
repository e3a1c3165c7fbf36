"""Sweeps on small data: chosen on validation, continued exactly, reproducible."""

import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import pytest
import torch

import autoencode as ae
from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.io.store import read_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.scale import validation_values
from autoencode.train.checkpoint import checkpoints
from autoencode.train.progress import last_step
from autoencode.train.trainer import Trainer

optuna = pytest.importorskip("optuna")

SMALL = RECIPES["vae"].set("network.hidden", (8,)).set("likelihood", "bernoulli")
SETTINGS = {"steps": 12, "batch_size": 50, "validate_every": 4, "precision": "float32"}
VARY = {"latent": "2..6", "lr": "1e-4..1e-2:log"}


def swept(data, out, recipe=SMALL, vary=VARY, **options):
    return ae.sweep(recipe, data, vary=vary, out=out, **{"workers": 1, **SETTINGS, **options})


def outcome(found):
    """What two sweeps have in common if they are the same."""
    return [(t.number, t.state, dict(t.values), dict(t.metrics)) for t in found.trials]


def same_weights(first, second):
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.long
def test_a_sweep_finds_records_and_reports(digits, tmp_path, capsys):
    found = swept(digits, tmp_path / "s", trials=3)
    assert [trial.state for trial in found.trials] == ["complete"] * 3
    (best,) = found.best
    values = [trial.metrics["squared_error"] for trial in found.trials]
    assert best.metrics["squared_error"] == min(values)
    assert all(isinstance(trial.values["latent"], int) for trial in found.trials)
    for trial in found.trials:
        (run,) = trial.runs
        assert run.folder == tmp_path / "s" / "trials" / f"{trial.number:05d}"
        assert run.recipe.latent == trial.values["latent"]
        assert run.settings["lr"] == trial.values["lr"]
    said = capsys.readouterr().err.splitlines()
    assert "3 trials of vae on digits vary latent=2..6, lr=0.0001..0.01:log" in said[0]
    assert any("best: squared_error" in line and "on validation" in line for line in said)
    page = (tmp_path / "s" / "report.html").read_text()
    assert f'href="trials/{best.number:05d}/"' in page
    for title in ("Best trials", "History", "Parallel coordinates", "Reproduction"):
        assert f">{title}<" in page

    # The figure is that of the run on the validation part, and of the same training alone.
    alone = ae.fit(best.recipe, digits, progress=False, **best.settings)
    (run,) = best.runs
    assert same_weights(alone.model, run.load_model())
    assert validation_values(found.metrics, alone.model, digits) == [min(values)]
    # The test part is not looked at.
    mirrored = replace(digits, test=replace(digits.test, x=digits.test.x.flip(2)), fingerprint="m")
    other = swept(mirrored, tmp_path / "other", trials=3)
    assert outcome(other) == outcome(found)

    # The same call takes everything from the folder; more trials go on.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/trials/*/run.json")}
    assert outcome(swept(digits, tmp_path / "s", trials=3)) == outcome(found)
    more = swept(digits, tmp_path / "s", trials=4)
    assert outcome(more)[:3] == outcome(found)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "continuing" in capsys.readouterr().err

    with pytest.raises(RunError, match=r"a sweep with another vary.latent: 2..6, and 2..7 was"):
        swept(digits, tmp_path / "s", vary={**VARY, "latent": "2..7"})
    with pytest.raises(
        RunError, match=r"a sweep with another settings.steps: 12, and 13 was given"
    ):
        swept(digits, tmp_path / "s", steps=13)
    with pytest.raises(RunError, match="a sweep with another seeds: 1, and 2 was given"):
        swept(digits, tmp_path / "s", seeds=2)
    with pytest.raises(RunError, match=r"a sweep with another data.fingerprint"):
        swept(mirrored, tmp_path / "s")


@pytest.mark.long
def test_an_interrupted_sweep_continues_as_if_it_had_not_been(digits, tmp_path, monkeypatch):
    whole = swept(digits, tmp_path / "whole", trials=3)
    update, calls = Trainer.update, [0]

    def stopped(self):
        calls[0] += 1
        if calls[0] == 19:  # in the second trial
            os.kill(os.getpid(), signal.SIGINT)
        return update(self)

    monkeypatch.setattr(Trainer, "update", stopped)
    with pytest.raises(Interrupted, match="Stopped with 1 of 3 trials done; everything is saved"):
        swept(digits, tmp_path / "s", trials=3)
    assert (tmp_path / "s" / "report.html").exists()
    assert open_run(tmp_path / "s" / "trials" / "00001").status == "interrupted"
    calls[0] = 100
    assert outcome(swept(digits, tmp_path / "s", trials=3)) == outcome(whole)
    assert calls[0] == 100 + 12 + (12 - 7)  # the checkpoint is of step 7


KILLED = """
import sys
import autoencode as ae
if __name__ == "__main__":
    recipe = ae.RECIPES["ae"].set("network.hidden", (8,))
    ae.sweep(recipe, "digits", vary={"latent": "2..6", "lr": "1e-4..1e-2:log"}, trials=3,
             out=sys.argv[1], workers=1, steps=990, batch_size=50,
             checkpoint_every=20, validate_every=495, precision="float32", compile="off")
"""


@pytest.mark.long
def test_a_killed_sweep_loses_and_doubles_no_trial(digits, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    out = tmp_path / "s"
    # With as many threads as here, on which the bits depend.
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen([sys.executable, script, str(out)], env=env) as process:
        end = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < end:
            if last_step(out / "trials" / "00000") >= 100:
                break
            time.sleep(0.01)
        process.kill()
    assert open_run(out / "trials" / "00000").status == "running"
    assert checkpoints(out / "trials" / "00000" / "state")
    settings = {"steps": 990, "checkpoint_every": 20, "validate_every": 495, "compile": "off"}
    trials = optuna.load_study(
        study_name=read_json(out / "sweep.json")["study"], storage=f"sqlite:///{out / 'sweep.db'}"
    ).trials
    assert [trial.state.name for trial in trials] == ["RUNNING"]
    recipe = RECIPES["ae"].set("network.hidden", (8,))
    found = swept(digits, out, recipe, trials=1, **settings)
    assert [(t.number, t.state) for t in found.trials] == [(0, "complete")]
    assert dict(found.trials[0].values) == trials[0].params
    alone = ae.fit(found.best[0].recipe, digits, progress=False, **found.best[0].settings)
    assert same_weights(alone.model, found.best[0].runs[0].load_model())


@pytest.mark.long
def test_several_metrics_give_the_pareto_front(digits, tmp_path, capsys):
    vary = {"terms.kl.weight": "0.01..10:log"}
    found = swept(digits, tmp_path / "s", vary=vary, metric=["squared_error", "kl"], trials=4)
    assert "no trial is pruned: trainings are not pruned of several metrics" in (
        capsys.readouterr().err
    )
    points = {t.number: tuple(t.metrics.values()) for t in found.trials}
    front = [
        n
        for n, (a, b) in points.items()
        if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in points.values())
    ]
    assert [t.number for t in found.best] == sorted(front, key=lambda n: points[n])
    page = (tmp_path / "s" / "report.html").read_text()
    assert page.count(">Pareto front<") >= 2
    assert ">History: KL<" in page


@pytest.mark.long
def test_a_diverged_training_is_a_failed_trial(digits, tmp_path, capsys):
    recipe = RECIPES["ae-linear"].set("network.hidden", (16, 16))
    found = swept(
        digits,
        tmp_path / "s",
        recipe,
        {"lr": [1e-3, 1e6]},
        trials=4,
        steps=100,
        prune=False,
        seed=1,
    )
    states = {trial.values["lr"]: trial.state for trial in found.trials}
    assert states == {1e-3: "complete", 1e6: "failed"}
    assert all("iverged" in t.error or t.error for t in found.trials if t.state == "failed")
    assert found.best[0].values == {"lr": 1e-3}
    assert "failed: " in capsys.readouterr().err
    assert ">Failed trials<" in (tmp_path / "s" / "report.html").read_text()


@pytest.mark.long
def test_a_sweep_of_failures_ends(digits, tmp_path):
    vary = {"schedule": ["cosine", "constant"], "schedule_factor": [0.1, 0.2, 0.3]}
    with pytest.raises(RunError, match=r"None of the 5 trials succeeded; the first: schedule_fac"):
        swept(digits, tmp_path / "s", vary=vary, trials=50)


@pytest.mark.long
def test_hopeless_trials_are_pruned(digits, tmp_path):
    vary = {"lr": "1e-5..1e-2:log"}
    found = swept(digits, tmp_path / "s", vary=vary, trials=9, steps=40, seed=3)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert pruned
    assert min(trial.number for trial in pruned) >= 5
    for trial in pruned:
        (run,) = trial.runs
        assert run.status == "interrupted"
        assert run.summary["steps"] < 40
        assert "above the median" in trial.error
        step, errors = run.summary["steps"], []
        for other in complete[:5]:
            line = next(
                each
                for each in other.runs[0].log()
                if each["step"] == step and "validation" in each
            )
            errors.append(line["validation"]["squared_error"])
        assert run.log()[-1]["validation"]["squared_error"] > sorted(errors)[0]
    # A pruned training can be taken to its end.
    ended = ae.resume(pruned[0].folders[0], data=digits, progress=False)
    assert ended.summary["steps"] == 40


@pytest.mark.long
def test_several_seeds_are_averaged_and_workers_change_nothing(digits, tmp_path):
    found = swept(digits, tmp_path / "s", trials=1, seeds=2, workers=2)
    for trial in found.trials:
        assert [run.settings["seed"] for run in trial.runs] == [0, 1]
        each = [validation_values(found.metrics, run.load_model(), digits)[0] for run in trial.runs]
        assert trial.metrics["squared_error"] == sum(each) / 2
    assert [path.name for path in sorted((tmp_path / "s" / "trials").iterdir())] == [
        *("00000-0", "00000-1")
    ]
    assert outcome(swept(digits, tmp_path / "one", trials=1, seeds=2)) == outcome(found)


@pytest.mark.long
def test_the_command_trains_the_best_again(digits, tmp_path, monkeypatch, capsys):
    from autoencode.cli.main import main

    monkeypatch.chdir(tmp_path)
    words = "sweep ae --data digits --set network.hidden=[8] --steps 12 --batch-size 50 --trials 2"
    words += " --vary latent=2..6 --vary network.activation=relu|gelu --vary lr=1e-4..1e-2:log"
    words += " --vary ema=none|0.9 --workers 1 --out s --precision float32 --validation 100 --json"
    with pytest.raises(SystemExit) as end:
        main(words.split())
    assert end.value.code == 0
    import json
    import shlex

    printed = json.loads(capsys.readouterr().out)
    (best,) = printed["best"]
    with pytest.raises(SystemExit) as end:
        main([*shlex.split(best["train"])[1:], "--out", "again", "--no-report"])
    assert end.value.code == 0
    run, again = open_run(f"s/trials/{best['number']:05d}"), open_run("again")
    assert (run.recipe, run.settings) == (again.recipe, again.settings)
    assert same_weights(run.load_model(), again.load_model())


@pytest.mark.long
def test_two_sweeps_in_one_database(digits, tmp_path):
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    first = swept(digits, tmp_path / "a", trials=2, steps=4, storage=storage)
    second = swept(digits, tmp_path / "b", trials=1, steps=4, storage=storage, metric="psnr")
    assert (len(first.trials), len(second.trials)) == (2, 1)
    assert not (tmp_path / "a" / "sweep.db").exists()
    assert outcome(swept(digits, tmp_path / "a", trials=2, steps=4, storage=storage)) == (
        outcome(first)
    )
    with pytest.raises(RunError, match="a sweep with another storage: sqlite"):
        swept(digits, tmp_path / "a", trials=2, steps=4)


@pytest.mark.long
def test_a_small_search_space_is_tried_completely(digits, tmp_path, capsys):
    vary = {"latent": "2..3", "network.activation": ["relu", "gelu"]}
    found = swept(digits, tmp_path / "s", vary=vary, trials=30, metric="psnr", steps=4)
    assert "4 trials of vae on digits, every combination, vary" in capsys.readouterr().err
    tried = [(trial.values["latent"], trial.values["network.activation"]) for trial in found.trials]
    assert sorted(tried) == [(2, "gelu"), (2, "relu"), (3, "gelu"), (3, "relu")]
    best = max(trial.metrics["psnr"] for trial in found.trials)
    assert found.best[0].metrics["psnr"] == best


@pytest.mark.long
def test_a_trial_that_was_cut_off_before_it_had_values_does_not_count(digits, tmp_path):
    whole = swept(digits, tmp_path / "whole", trials=2, steps=4)
    swept(digits, tmp_path / "s", trials=1, steps=4)
    name = read_json(tmp_path / "s" / "sweep.json")["study"]
    optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path / 's' / 'sweep.db'}").ask()
    found = swept(digits, tmp_path / "s", trials=2, steps=4)
    assert [trial.number for trial in found.trials] == [0, 2]
    assert [each[1:] for each in outcome(found)] == [each[1:] for each in outcome(whole)]


@pytest.mark.long
def test_other_folders_and_storages_are_refused(digits, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"files that are not of a sweep, such as notes.txt"):
        swept(digits, tmp_path)
    with pytest.raises(RunError, match="is a file, and a sweep needs a folder"):
        swept(digits, tmp_path / "notes.txt")
    with pytest.raises(RunError, match='"nonsense" is not the URL of a database'):
        swept(digits, tmp_path / "s", storage="nonsense")
    with pytest.raises(RunError, match="cannot be opened") as caught:
        swept(digits, tmp_path / "t", storage="nosuch://me:secret@host/base")
    assert "secret" not in str(caught.value)
    found = swept(digits, tmp_path / "t", trials=1, steps=4)  # a failed call leaves no sweep
    assert len(found.trials) == 1
    with pytest.raises(RunError, match="a sweep with another storage: None, and sqlite"):
        swept(digits, tmp_path / "t", steps=4, storage=f"sqlite:///{tmp_path / 'u.db'}")


def test_two_processes_do_not_share_a_sweep(digits, tmp_path):
    from filelock import FileLock

    with (
        FileLock(tmp_path / "sweep.lock"),
        pytest.raises(RunError, match="Another process is at work on the sweep"),
    ):
        swept(digits, tmp_path)


def test_without_optuna_a_sentence_says_what_to_install(digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(AutoencodeError) as caught:
        swept(digits, tmp_path / "s")
    assert (
        str(caught.value) == 'Optuna is not installed. Install it: pip install "autoencode[sweep]"'
    )
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("name", "value"), [("trials", 0), ("seeds", 0), ("trials", 1.5)])
def test_numbers_are_checked(digits, tmp_path, name, value):
    with pytest.raises(AutoencodeError, match=f"{name} must be 1 or more, and is {value}"):
        swept(digits, tmp_path / "s", **{name: value})


@pytest.mark.long
def test_nothing_of_optuna_is_printed_and_its_level_is_restored(digits, tmp_path, capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swept(digits, tmp_path / "s", trials=1)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    printed = capfd.readouterr()
    assert printed.out == ""
    assert all(line.startswith("autoencode: ") for line in printed.err.splitlines())
    assert "[1/1] trial 0, latent=" in printed.err
