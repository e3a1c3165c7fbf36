"""The numbers and records of a run, in the words of its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from autoencode.evaluation.kinds import group_of, kind_of, place_of
from autoencode.evaluation.records import TERMS
from autoencode.models.build import Model, parameter_count
from autoencode.models.run import Run
from autoencode.report.formatting import count, duration, measure, short
from autoencode.report.tables import Table


@dataclass(frozen=True)
class Fact:
    """One figure: its name, its value with the unit, and what it was taken over."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Facts of one kind."""

    title: str
    facts: list[Fact]


def headline(run: Run, model: Model, metrics: Mapping[str, Any]) -> list[Fact]:
    """The figures that a report begins with; what was not measured is not there."""
    return [*_of_test(run, metrics), *_of_terms(run, metrics), *_of_training(run, model)]


def _of_test(run: Run, metrics: Mapping[str, Any]) -> list[Fact]:
    over = f"summed over {count(run.sizes.pixels)} values in [0,\u00a01]"
    if "n_test" in metrics:
        over += f", mean of {count(metrics['n_test'])} test examples"
    known = [
        ("squared_error", "Squared error", short, over),
        ("squared_error_of_mean", "Baseline", short, "squared error of the mean example"),
        ("restored_squared_error", "Restored", short, "squared error from corrupted examples"),
        ("corrupted_squared_error", "Corrupted", short, "squared error before restoring"),
        ("squared_error_per_pixel", "Per value", short, "squared error of one value"),
        ("psnr", "PSNR", lambda v: f"{v:.1f} dB", "mean of test examples"),
        ("ssim", "SSIM", lambda v: f"{v:.3f}", "1 for identical images"),
        ("knn_accuracy", "k-NN accuracy", lambda v: f"{v:.1%}", "classes told from codes alone"),
        ("nll", "−ln p(x)", lambda v: f"{short(v)} nats", "of test examples, by sampling"),
        ("frechet_distance", "Fréchet distance", short, "of random images from test images"),
        ("gaps", "Gaps", lambda v: f"{v:.1%}", "of random codes decode to no data"),
        ("classification_error", "Wrong class", lambda v: f"{v:.1%}", "of test examples"),
    ]
    return [Fact(name, say(metrics[key]), note) for key, name, say, note in known if key in metrics]


def _of_terms(run: Run, metrics: Mapping[str, Any]) -> list[Fact]:
    facts = []
    for name, nats in metrics.get("terms", {}).items():
        if nats == 0:
            continue  # a term of labels costs nothing where there are none: no measurement
        spec = run.recipe.terms.get(name)
        if spec is not None and spec.kind == "reconstruction":
            # Nats under two likelihoods are not comparable: they must not stand in one row.
            kind = run.recipe.likelihood.kind
            facts.append(Fact(f"{name.capitalize()}, {kind}", f"{short(nats)} nats", "−ln p(x|z)"))
        else:
            facts.append(Fact(name.capitalize(), f"{short(nats)} nats", "per test example"))
    return facts


def _of_training(run: Run, model: Model) -> list[Fact]:
    summary = run.summary
    facts = [Fact("Parameters", count(parameter_count(model)), "set by training")]
    if "seconds" in summary:
        note = f"for {count(summary['steps'])} steps" if "steps" in summary else ""
        facts.append(Fact("Training time", duration(summary["seconds"]), note))
    if "images_per_second" in summary:
        where = ", ".join(str(summary[k]) for k in ("device", "precision") if k in summary)
        where += ", compiled" if summary.get("compiling_seconds") else ""
        speed = count(round(summary["images_per_second"]))
        facts.append(Fact("Examples a second", speed, f"in training; {where}"))
    return facts


def measured(metrics: Mapping[str, Any]) -> list[Group]:
    """Every figure of the evaluation, with its unit, its interval and how it was measured."""
    values = _values(metrics)
    return [
        Group(title, [_measured(metrics, name, values[name]) for name in of])
        for title, of in groupby(values, key=group_of)
    ]


def measured_table(metrics: Mapping[str, Any]) -> Table:
    """A row for each figure of the evaluation, under its name in `metrics.json`."""
    values = _values(metrics)
    units, notes, ends = (metrics.get(key, {}) for key in ("units", "notes", "intervals"))
    return Table(
        {
            "figure": list(values),
            "value": list(values.values()),
            "lower end of 95 % interval": [ends.get(name, (None,))[0] for name in values],
            "upper end of 95 % interval": [ends.get(name, (None,))[-1] for name in values],
            "unit": [units.get(name, "") for name in values],
            "how": [notes.get(name, "") for name in values],
        },
        digits=6,
    )


def _values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one number each, in the order in which they are shown."""
    values = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    values |= {f"{TERMS}{name}": value for name, value in metrics.get("terms", {}).items()}
    values.pop("n_test", None)
    return {name: values[name] for name in sorted(values, key=place_of)}


def _measured(metrics: Mapping[str, Any], name: str, value: float) -> Fact:
    unit, note, ends = (metrics.get(key, {}).get(name) for key in ("units", "notes", "intervals"))
    kind, unit, note = kind_of(name), unit or "", note or ""
    interval = None if ends is None else tuple(ends)
    # A unit of several words would read on as if it were part of the number.
    several = " " in unit
    words = measure(value, "" if several else unit, interval, share=kind.share)
    if several:
        note = f"{unit[0].upper()}{unit[1:]}. {note}".rstrip()
    return Fact(kind.title, words, note)


def data_facts(run: Run) -> list[Fact]:
    """What is known of the data."""
    data = run.data
    facts = [
        Fact("name", str(data.get("name", ""))),
        Fact("source", str(data.get("source") or "arrays in memory")),
        Fact("one example", " × ".join(map(str, run.sizes.x))),
        Fact("training examples", count(run.sizes.n)),
    ]
    if data.get("classes"):
        facts.append(
            Fact("classes", ", ".join(f"{i}: {name}" for i, name in enumerate(data["classes"])))
        )
    given = {key: value for key, value in data.get("options", {}).items() if value is not None}
    if given:
        facts.append(Fact("options", ", ".join(f"{key}={value}" for key, value in given.items())))
    return [*facts, Fact("fingerprint (SHA-256)", str(data.get("fingerprint", "")))]


def settings_facts(run: Run) -> list[Fact]:
    """How it was trained."""
    return [
        Fact(name, "none" if value is None else str(value)) for name, value in run.settings.items()
    ]
