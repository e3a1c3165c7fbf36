"""Running a study: train and measure its models, draw conclusions, write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import RunError
from autoencode.evaluation import MetricsCache, evaluate
from autoencode.io.folders import open_folder, open_for_writing
from autoencode.io.store import read_json, write_bytes, write_json, write_text, writing
from autoencode.models.describe import slots
from autoencode.report.formatting import duration
from autoencode.report.pages.details import Detail
from autoencode.report.pages.study import StudyPage, study_markdown, write_study_page
from autoencode.scale import Job, Outcome, fit_many
from autoencode.studies.results import Result, Results, StudyPlan, StudyRun
from autoencode.studies.study import Conclusion, Study
from autoencode.train import FitResult, Settings
from autoencode.train.run_folder import environment

RUNS = "runs"


def run_study(
    study: Study,
    plan: StudyPlan,
    folder: Path,
    command: str,
    workers: int | None,
    cluster: str | None,
    on_line: Callable[[str], None],
) -> Conclusion:
    """Trains and measures the models of a study, draws conclusions and writes them to `folder`.

    report.html    findings, figures and tables.     study.md   the same as Markdown, with figures/.
    study.json     findings and all metrics of all trainings.     runs/   the trained models.

    Finished trainings are not repeated and interrupted ones are continued, so that the same call
    resumes a study. `workers` and `cluster`, as of `fit_many`, change the duration only.

    on_line: is called with one line of text for each training that ends.

    Raises:
        DataError: the question does not apply to the data.
        RunError: the data are arrays in memory; or `folder` contains something else.
        AutoencodeError: whatever a training raises.
    """
    study.check(plan.data)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RUNS).is_dir():
        raise RunError(f"{folder} contains files that are not of a study", "Choose another --out.")

    if folder.is_dir():
        open_for_writing(folder)
    train = partial(
        _train_all,
        folder=folder / RUNS,
        data=plan.data,
        workers=workers,
        cluster=cluster,
        on_line=on_line,
    )
    results = Results(train(study.trainings(plan)))
    while more := [
        each
        for each in study.further_trainings(plan, results)
        if each.folder not in {result.training.folder for result in results}
    ]:
        results = Results([*results, *train(more)])
    conclusion = study.conclude(plan, results)
    page = _page(study, plan, results, conclusion, command)
    write_study_page(page, folder / "report.html")
    open_folder(folder, "figures")
    names = {key: f"figures/{key}.png" for key in conclusion.figures}
    for key, figure in conclusion.figures.items():
        write_bytes(folder / names[key], figure.picture._repr_png_()[0])
    write_text(folder / "study.md", study_markdown(page, names))
    record = {
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
    write_json(folder / "study.json", record)
    return conclusion


def _train_all(
    trainings: Sequence[StudyRun],
    folder: Path,
    data: Data,
    workers: int | None,
    cluster: str | None,
    on_line: Callable[[str], None],
) -> list[Result]:
    """Trains and measures all models in parallel, as `fit_many` does; finished runs are reused.

    All trainings have one thread each and as many others next to them, so that their times can be
    compared.

    Raises:
        RunError: the data are arrays in memory, which a study cannot load again.
        AutoencodeError: the error of the first training that failed, after the others have ended.
    """
    if not data.source:
        raise RunError(
            "A study loads its data again, for some trainings with other options, and these are "
            "arrays in memory",
            "Save them with numpy.savez_compressed and give the path.",
        )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    by_folder = {folder / each.folder: each for each in trainings}
    jobs = [
        Job(
            each.recipe,
            load_data(data.source, **{**data.options, **each.options}) if each.options else data,
            out,
            {**_intervals(each), **each.settings, "seed": each.seed},
            overwrite=True,
        )
        for out, each in by_folder.items()
    ]
    results: dict[Path, Result] = {}
    start = time.monotonic()

    def on_outcome(outcome: Outcome) -> None:
        if outcome.error is None and outcome.run is not None:
            training = by_folder[outcome.job.out]
            results[outcome.job.out] = Result(training, outcome.run, outcome.result)
            on_line(
                f"[{len(results)}/{len(trainings)}] {training.model}, seed {training.seed}: "
                f"squared error {outcome.result['squared_error']:.2f}, "
                f"{time.monotonic() - start:.0f} s since the start"
            )

    measures = {out.name: training.measures for out, training in by_folder.items()}
    outcomes = fit_many(
        jobs,
        workers=workers,
        cluster=cluster,
        on_trained=partial(_measure, measures),
        on_finished=on_outcome,
    )
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [results[job.out] for job in jobs]


def _measure(measures: dict[str, tuple[str, ...]], fitted: FitResult) -> dict[str, Any]:
    """Measures a run and stores the metrics in its folder."""
    run = fitted.run
    assert run is not None
    open_for_writing(run.folder)
    found = evaluate(fitted.model, fitted.data, measures[run.folder.name], MetricsCache(run))
    metrics = found.to_dict()
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _intervals(training: StudyRun) -> dict[str, int]:
    """Few validations and checkpoints, as trainings of a study are short."""
    steps = Settings.of(training.recipe, training.settings).steps
    return {"validate_every": max(1, steps // 5), "checkpoint_every": max(1, steps // 3)}


def _page(
    study: Study, plan: StudyPlan, results: Results, conclusion: Conclusion, command: str
) -> StudyPage:
    data = plan.data
    parts = (data.train, data.validation, data.test)
    seconds = sum(each["seconds"] for each in results)
    return StudyPage(
        title=f"{study.title} ({data.name})",
        question=study.question,
        lead=(
            f"{len(results.found)} trainings on {data.name}, {duration(seconds)} of one "
            f"core in total; {len(data.test):,} test examples."
        ),
        findings=[(each.hypothesis, each.verdict, each.sentence) for each in conclusion.findings],
        tables=conclusion.tables,
        figures=conclusion.figures,
        models=[
            (
                f"{each.training.model}, seed {each.training.seed}",
                _description(each),
                each["seconds"],
            )
            for each in results
        ],
        command=command,
        data=[
            Detail("name", data.name),
            Detail("training, validation, test", ", ".join(f"{len(part):,}" for part in parts)),
            Detail("fingerprint (SHA-256)", data.fingerprint),
        ],
        versions=[
            Detail(name, str(value))
            for name, value in {**environment(), "threads": _threads(results)}.items()
            if name != "command"
        ],
    )


def _threads(results: Results) -> str:
    """The numbers of threads of the trainings, on which their times depend."""
    records = (read_json(each.run.folder / "environment.json") for each in results)
    return ", ".join(sorted({str(record.get("threads", "unknown")) for record in records}))


def _description(result: Result) -> str:
    """The number of steps of a training and the parts of its model."""
    parts = ", ".join(f"{slot} {filled}" for slot, filled in slots(result.training.recipe).items())
    return f"{result.run.summary['steps']:,} steps; {parts}"
