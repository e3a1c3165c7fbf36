"""Carrying out a study: train what it asks, measure, conclude, and write it down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from autoencode.errors import RunError
from autoencode.io.store import read_json, write_bytes, write_json, write_text
from autoencode.models.describe import slots
from autoencode.report.pages.details import Detail
from autoencode.report.pages.study import StudyPage, study_markdown, write_study_page
from autoencode.studies.study import Conclusion, Result, Results, Study, StudyPlan, StudyRun
from autoencode.studies.trainings import carry_out
from autoencode.train.run_folder import environment

RUNS = "runs"


def carry_out_study(
    study: Study,
    plan: StudyPlan,
    folder: Path,
    command: str,
    workers: int | None,
    tell: Callable[[str], None],
) -> Conclusion:
    """Trains, measures and concludes; `folder` then holds all of it.

    report.html    findings, figures and tables.     study.md   the same as Markdown, with figures/.
    study.json     findings and every figure of every training.     runs/   the trained models.

    Trainings that are there are taken as they are, those that were cut short are continued, so that
    a study that was killed goes on where it was. Nothing but the time depends on `workers`.

    tell: takes a line for each training that ends.

    Raises:
        DataError: the question has no meaning for the data.
        RunError: the data are arrays in memory; or `folder` holds what is no study.
        AutoencodeError: what a training may raise.
    """
    study.check(plan.data)
    _check_folder(folder)
    results = _trained(study.trainings(plan), [], plan, folder, workers, tell)
    while more := [
        each
        for each in study.further(plan, Results(results))
        if each.folder not in {known.training.folder for known in results}
    ]:
        results = _trained(more, results, plan, folder, workers, tell)
    found = Results(results)
    conclusion = study.conclude(plan, found)
    _write(study, plan, found, conclusion, folder, command)
    return conclusion


def _check_folder(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RUNS).is_dir():
        raise RunError(f"{folder} holds something that is no study", "Choose another --out.")


def _trained(
    trainings: list[StudyRun],
    before: list[Result],
    plan: StudyPlan,
    folder: Path,
    workers: int | None,
    tell: Callable[[str], None],
) -> list[Result]:
    """Results in the order of the trainings, after those from before."""
    began = time.monotonic()
    number = count(1)

    def ended(result: Result) -> None:
        training = result.training
        tell(
            f"[{next(number)}/{len(trainings)}] {training.model}, seed {training.seed}: squared "
            f"error {result['squared_error']:.2f}, {time.monotonic() - began:.0f} s since the start"
        )

    return [*before, *carry_out(trainings, folder / RUNS, plan.data, workers, ended)]


def _write(
    study: Study,
    plan: StudyPlan,
    results: Results,
    conclusion: Conclusion,
    folder: Path,
    command: str,
) -> None:
    page = _page(study, plan, results, conclusion, command)
    write_study_page(page, folder / "report.html")
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    names = {}
    for key, plate in conclusion.plates.items():
        content = plate.picture._repr_png_()[0]
        write_bytes(figures / f"{key}.png", content)
        names[key] = f"figures/{key}.png"
    write_text(folder / "study.md", study_markdown(page, names))
    write_json(folder / "study.json", _record(study, plan, results, conclusion, command))


def _page(
    study: Study, plan: StudyPlan, results: Results, conclusion: Conclusion, command: str
) -> StudyPage:
    data = plan.data
    seconds = sum(float(each.run.summary["seconds"]) for each in results)
    return StudyPage(
        title=f"{study.title} ({data.name})",
        question=study.question,
        expects=study.expects,
        lead=(
            f"{len(results.found)} trainings on {data.name}, {seconds / 60:.0f} minutes of one "
            f"core in all; {len(data.test):,} test examples."
        ),
        findings=[(each.words, each.holds) for each in conclusion.findings],
        tables=conclusion.tables,
        figures=conclusion.plates,
        models=[
            (
                f"{each.training.model}, seed {each.training.seed}",
                _described(each),
                float(each.run.summary["seconds"]),
            )
            for each in results
        ],
        command=command,
        data=[
            Detail("name", data.name),
            Detail("training, validation, test", _sizes(plan)),
            Detail("fingerprint (SHA-256)", data.fingerprint),
        ],
        versions=[
            Detail(name, str(value))
            for name, value in {**environment(), "threads": _threads(results)}.items()
            if name != "command"
        ],
    )


def _threads(results: Results) -> str:
    """Those that the trainings had, which is what their times go by."""
    records = (read_json(each.run.folder / "environment.json") for each in results)
    return ", ".join(map(str, sorted({record["threads"] for record in records})))


def _described(result: Result) -> str:
    """What a training was: the parts of its model, and how many updates."""
    parts = ", ".join(f"{slot} {filled}" for slot, filled in slots(result.training.recipe).items())
    return f"{result.run.summary['steps']:,} steps; {parts}"


def _sizes(plan: StudyPlan) -> str:
    data = plan.data
    return ", ".join(f"{len(part):,}" for part in (data.train, data.validation, data.test))


def _record(
    study: Study, plan: StudyPlan, results: Results, conclusion: Conclusion, command: str
) -> dict[str, Any]:
    return {
        "study": study.name,
        "data": plan.data.name,
        "fingerprint": plan.data.fingerprint,
        "command": command,
        "findings": [asdict(each) for each in conclusion.findings],
        "trainings": [
            {
                "model": each.training.model,
                "seed": each.training.seed,
                "run": f"{RUNS}/{each.training.folder}",
                "summary": dict(each.run.summary),
                "metrics": dict(each.metrics),
            }
            for each in results
        ],
    }
