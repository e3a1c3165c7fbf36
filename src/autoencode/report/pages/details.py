"""The metrics, settings and records of a run as names and values for its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from autoencode.evaluation.headlines import headlines, pca_advice
from autoencode.evaluation.metric_info import metric_group, metric_info, metric_order
from autoencode.evaluation.records import TERM_PREFIX
from autoencode.io.local_paths import command_without_folders, without_folders
from autoencode.io.store import read_json
from autoencode.models.build import Model, parameter_count
from autoencode.models.describe import formula, papers, slots
from autoencode.models.run import Run
from autoencode.report.formatting import count, duration, measure
from autoencode.report.tables import Table


@dataclass(frozen=True)
class Detail:
    """A name, its value with the unit, and a note: what it was measured on, for example."""

    name: str
    value: str
    note: str = ""


def model_details(name: str, run: Run, trainings: Sequence[Run]) -> dict[str, Any]:
    """What a page says of a model apart from its metrics and figures, by names in the templates.

    run: the run that is shown, of one for each seed in `trainings`.
    """
    files = [each.folder / "environment.json" for each in trainings]
    records = [read_json(path) if path.exists() else {} for path in files]
    settings = {
        key: "none" if value is None else str(without_folders(value))
        for key, value in run.settings.items()
    }
    if len(trainings) > 1:
        seeds = ", ".join(str(each.settings.get("seed", 0)) for each in trainings)
        settings = {"seed": seeds} | {k: v for k, v in settings.items() if k != "seed"}
    return {
        "name": name,
        "about": run.recipe.about,
        "formula": formula(run.recipe),
        "slots": slots(run.recipe),
        "papers": papers(run.recipe),
        # One command for each training, and the software and machine of the first one.
        "commands": [
            command_without_folders(str(each["command"])) for each in records if "command" in each
        ],
        "versions": [Detail(k, str(v)) for k, v in records[0].items() if k != "command"],
        "settings": [Detail(key, value) for key, value in settings.items()],
        "data": data_details(run),
    }


def headline_details(run: Run, model: Model, metrics: Mapping[str, Any]) -> list[Detail]:
    """The values at the top of a report; those that were not measured are left out."""
    first = headlines(run.recipe, metrics)
    details = [Detail(each.title, each.value, each.note) for each in first]
    details.append(Detail("Trainable parameters", count(parameter_count(model))))
    summary = run.summary
    if "seconds" in summary:
        note = f"for {count(summary['steps'])} steps" if "steps" in summary else ""
        details.append(Detail("Training time", duration(summary["seconds"]), note))
    if "images_per_second" in summary:
        where = ", ".join(str(summary[k]) for k in ("device", "precision") if k in summary)
        where += ", compiled" if summary.get("compiling_seconds") else ""
        speed = count(round(summary["images_per_second"]))
        details.append(Detail("Examples per second", speed, f"in training; {where}"))
    return details


def error_details(run: Run, metrics: Mapping[str, Any]) -> str:
    """The squared error beside that of PCA, and what may help a worse model, in sentences."""
    found = headlines(run.recipe, metrics)
    lines = [f"{each.title} {each.value}, {each.note}." for each in found if each.title == "MSE"]
    return " ".join([*lines, pca_advice(run.recipe, metrics)]).strip()


def metric_groups(metrics: Mapping[str, Any]) -> list[tuple[str, list[Detail]]]:
    """Every metric of the evaluation under the title of its group, with unit, interval and note."""
    values = _values(metrics)
    return [
        (title, [_metric(metrics, name, values[name]) for name in names])
        for title, names in groupby(values, key=metric_group)
    ]


def metrics_table(metrics: Mapping[str, Any]) -> Table:
    """A row for each metric of the evaluation, under its name in `metrics.json`."""
    values = _values(metrics)
    units, notes, ends = (metrics.get(key, {}) for key in ("units", "notes", "intervals"))
    return Table(
        {
            "metric": list(values),
            "value": list(values.values()),
            "lower end of 95 % interval": [ends.get(name, (None,))[0] for name in values],
            "upper end of 95 % interval": [ends.get(name, (None,))[-1] for name in values],
            "unit": [units.get(name, "") for name in values],
            "how": [notes.get(name, "") for name in values],
        },
        digits=6,
    )


def _values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are one number each, in the order in which they are shown."""
    values = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    values |= {f"{TERM_PREFIX}{name}": value for name, value in metrics.get("terms", {}).items()}
    values.pop("n_test", None)
    return {name: values[name] for name in sorted(values, key=metric_order)}


def _metric(metrics: Mapping[str, Any], name: str, value: float) -> Detail:
    unit, note, ends = (metrics.get(key, {}).get(name) for key in ("units", "notes", "intervals"))
    kind, unit, note = metric_info(name), unit or "", note or ""
    interval = None if ends is None else tuple(ends)
    # A unit of several words reads better in the note than behind the number.
    several = " " in unit
    text = measure(value, "" if several else unit, interval, share=kind.share)
    if several:
        note = f"{unit[0].upper()}{unit[1:]}. {note}".rstrip()
    return Detail(kind.title, text, note)


def data_details(run: Run) -> list[Detail]:
    """The record of the data."""
    data = run.data
    details = [
        Detail("name", str(data.get("name", ""))),
        Detail("source", str(without_folders(data.get("source")) or "arrays in memory")),
        Detail("shape of an example", " × ".join(map(str, run.sizes.x))),
        Detail("training examples", count(run.sizes.n)),
    ]
    details += [Detail("adapted to the data", each) for each in run.notices]
    if data.get("classes"):
        classes = ", ".join(f"{i}: {name}" for i, name in enumerate(data["classes"]))
        details.append(Detail("classes", classes))
    given = {key: value for key, value in data.get("options", {}).items() if value is not None}
    if given:
        options = ", ".join(f"{key}={without_folders(value)}" for key, value in given.items())
        details.append(Detail("options", options))
    return [*details, Detail("fingerprint (SHA-256)", str(data.get("fingerprint", "")))]
