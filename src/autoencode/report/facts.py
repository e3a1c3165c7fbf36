"""The numbers and records of a run, in the words of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoencode.models.build import Model, parameter_count
from autoencode.models.run import Run
from autoencode.report.words import count, duration, short


@dataclass(frozen=True)
class Fact:
    """One figure: its name, its value with the unit, and what it was taken over."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Compared:
    """One figure of several runs; "–" where a run does not have it.

    note: what all were taken over; empty where that differs, and stands with each fact.
    """

    name: str
    note: str
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
        speed = count(round(summary["images_per_second"]))
        facts.append(Fact("Examples a second", speed, f"in training; {where}"))
    return facts


def compare(columns: Sequence[Sequence[Fact]]) -> list[Compared]:
    """The headlines of several runs as rows of one table, in the order that each has them."""
    order: list[Fact] = []
    for facts in columns:
        place = len(order)
        for fact in reversed(facts):
            known = [row.name for row in order]
            if fact.name in known:
                place = known.index(fact.name)
            else:
                order.insert(place, fact)
    by_name = [{fact.name: fact for fact in facts} for facts in columns]
    rows = []
    for name in (row.name for row in order):
        notes = {facts[name].note for facts in by_name if name in facts}
        found = [facts.get(name, Fact(name, "–")) for facts in by_name]
        rows.append(Compared(name, notes.pop() if len(notes) == 1 else "", found))
    return rows


def measured(metrics: Mapping[str, Any]) -> list[Fact]:
    """Every figure of the evaluation with its unit and how it was measured."""
    units, notes = metrics.get("units", {}), metrics.get("notes", {})
    values = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    values |= {f"terms.{name}": value for name, value in metrics.get("terms", {}).items()}
    return [
        _with_unit(name, f"{value:,.6g}", units.get(name, ""), notes.get(name, ""))
        for name, value in values.items()
    ]


def _with_unit(name: str, value: str, unit: str, note: str) -> Fact:
    if " " not in unit:
        return Fact(name, f"{value} {unit}".rstrip(), note)
    # A unit of several words would read on as if it were part of the number.
    return Fact(name, value, f"{unit[0].upper()}{unit[1:]}. {note}".rstrip())


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
