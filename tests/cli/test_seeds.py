"""`train --seeds N`: a run for each seed, and what they have in common."""

import os
import signal
import statistics

import pytest
import torch

from autoencode.cli import seeds
from autoencode.errors import ResourceError
from autoencode.models.run import load, open_run
from autoencode.train.trainer import Trainer

QUICK = "--data digits --set network.hidden=[16] --steps 20 --batch-size 50 --validate-every 20"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})


def test_each_run_is_what_its_seed_alone_gives(run, folder):
    outcome = run(f"train vae {QUICK} --seeds 3 --seed 4 --no-report --out runs/many")
    assert outcome.code == 0, outcome.err
    title, header, *rows, where, command = outcome.out.splitlines()
    assert title == "vae on digits, 359 test examples"
    assert header.split()[:2] == ["seed", "MSE"]
    assert [row.split()[0] for row in rows] == ["4", "5", "6", "mean", "standard"]
    assert where.split() == ["runs", "runs/many"]
    assert command.split(maxsplit=1) == ["compare", "autoencode compare runs/many/*"]
    names = {path.name for path in (folder / "runs" / "many").iterdir()}
    assert names == {"seed-4", "seed-5", "seed-6"}

    assert run(f"train vae {QUICK} --seed 5 --no-report --out runs/alone").code == 0
    alone, many = (load(folder / "runs" / n).state_dict() for n in ("alone", "many/seed-5"))
    assert all(torch.equal(alone[name], many[name]) for name in alone)
    taken = [open_run(folder / "runs" / n).metrics() for n in ("alone", "many/seed-5")]
    assert taken[0] == taken[1]


@pytest.mark.slow  # four reports
def test_runs_have_all_that_one_alone_has_and_are_compared_as_one_model(run, folder):
    assert run(f"train vae {QUICK} --seeds 2 --out many").code == 0
    assert run(f"train vae {QUICK} --seed 1 --out alone").code == 0
    files = [
        {path.relative_to(folder / name) for path in (folder / name).rglob("*")}
        for name in ("alone", "many/seed-1")
    ]
    assert files[0] == files[1]
    outcome = run("compare many/*")
    assert outcome.code == 0
    assert outcome.out.splitlines()[2].split()[:2] == ["vae", "2"]
    assert "No model is better" not in outcome.out
    page = (folder / "runs" / "compare" / "compare.html").read_text()
    assert "what another model has to differ by" in page


@pytest.mark.long
def test_the_figures_are_those_of_the_runs(run, folder):
    found = run(f"train ae {QUICK} --seeds 3 --no-report --out many --json").json
    assert found["folder"] == "many"
    assert found["failed"] == []
    assert [each["seed"] for each in found["runs"]] == [0, 1, 2]
    errors = [each["squared_error"] for each in found["runs"]]
    assert errors == [open_run(f"many/seed-{s}").metrics()["squared_error"] for s in range(3)]
    figure = found["figures"]["squared_error"]
    assert figure["mean"] == pytest.approx(statistics.fmean(errors))
    assert figure["standard_deviation"] == pytest.approx(statistics.stdev(errors))
    assert found["compare"] == "autoencode compare many/*"
    assert not (folder / "many" / "seed-0" / "report.html").exists()

    again = run(f"train ae {QUICK} --seeds 1 --out many --json").json
    assert again["figures"]["squared_error"]["standard_deviation"] is None
    assert (folder / "many" / "seed-0" / "report.html").exists(), "it was asked for now"
    assert again["runs"][0] == found["runs"][0]


@pytest.mark.long
def test_stopped_and_given_again_it_goes_on(run, folder, monkeypatch):
    update = Trainer.update

    def stopped(self):
        if self.step == 10 and self.settings.seed == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", stopped)
        outcome = run(f"train ae {QUICK} --seeds 3 --no-report")
    assert outcome.code == 128 + signal.SIGTERM
    assert outcome.err.strip() == (
        "note: Stopped with 1 of 3 trainings done; everything is saved. "
        "Continue: the same command with --out runs/ae-digits"
    )
    first = (folder / "runs" / "ae-digits" / "seed-0" / "metrics.json").stat().st_mtime_ns
    assert run(f"train ae {QUICK} --seeds 3 --no-report --out runs/ae-digits").code == 0
    at = folder / "runs" / "ae-digits" / "seed-0" / "metrics.json"
    assert at.stat().st_mtime_ns == first, "what was done is taken"
    assert run(f"train ae {QUICK} --seeds 2 --no-report --out runs/ae-digits --overwrite").code == 0
    assert at.stat().st_mtime_ns > first, "and made anew where that is asked for"
    assert (folder / "runs" / "ae-digits" / "seed-2").exists()


@pytest.mark.long
def test_a_seed_that_fails_is_told_of_at_the_end(run, folder, monkeypatch):
    measured = seeds.finish

    def full(report, fitted):
        if fitted.run.settings["seed"] == 1:
            raise ResourceError("There is no room on the disk", "Make room.")
        return measured(report, fitted)

    monkeypatch.setattr(seeds, "finish", full)
    outcome = run(f"train ae {QUICK} --seeds 3 --no-report --out many")
    assert outcome.code == 4
    assert outcome.error == "error: many/seed-1: There is no room on the disk. Make room."
    assert [line.split()[0] for line in outcome.out.splitlines()[2:]][:3] == ["0", "2", "mean"]
    monkeypatch.setattr(seeds, "finish", measured)
    assert run(f"train ae {QUICK} --seeds 3 --no-report --out many").code == 0
    diverged = run(
        "train ae-linear --data digits --set network.hidden=[16,16] --steps 2000 --lr 1e6 "
        "--seeds 2 --no-report --out ill --json"
    )
    assert diverged.code == 3
    assert diverged.json["runs"] == []
    assert [each["exit_code"] for each in diverged.json["failed"]] == [3, 3]


def test_what_has_no_meaning_is_refused(refused, run, folder):
    (folder / "a").write_text("x")
    assert "a is a file" in refused(f"train ae {QUICK} --seeds 2 --out a")
    assert "more than there are" in refused(f"train ae {QUICK} --seeds 2 --seed {2**63 - 1}")
    assert run(f"train ae {QUICK} --no-report --out one/seed-0").code == 0
    assert "one/seed-0 is a run" in refused(f"train ae {QUICK} --seeds 2 --out one/seed-0")
    other = QUICK.replace("--steps 20", "--steps 21")
    assert "one/seed-0 exists and is not this training" in refused(
        f"train ae {other} --seeds 2 --out one"
    )
    (folder / "one" / "seed-1").mkdir()
    (folder / "one" / "seed-1" / "letter.txt").write_text("dear")
    assert "holds files that are not of a run" in refused(
        f"train ae {other} --seeds 2 --out one --overwrite"
    )
