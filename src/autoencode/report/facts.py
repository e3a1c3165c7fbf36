"""The numbers and records of a run, in the words of its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.models.assemble import SlotAutoencoder, parameter_count
from autoencode.models.run import Run
from autoencode.report.words import count, duration, short


@dataclass(frozen=True)
class Fact:
    """One figure: its name, its value with the unit, and what it was taken over."""

    name: str
    value: str
    note: str = ""


def headline(run: Run, model: SlotAutoencoder, metrics: Mapping[str, Any]) -> list[Fact]:
    """The figures that a report begins with; what was not measured is not there."""
    facts = []
    if "squared_error" in metrics:
        over = f"summed over {count(run.sizes.pixels)} values in [0, 1]"
        if "n_test" in metrics:
            over += f", mean of {count(metrics['n_test'])} test examples"
        facts.append(Fact("Squared error", short(metrics["squared_error"]), over))
    if "squared_error_of_mean" in metrics:
        note = "squared error of always answering the mean training example"
        facts.append(Fact("For reference", short(metrics["squared_error_of_mean"]), note))
    if "squared_error_per_pixel" in metrics:
        value = short(metrics["squared_error_per_pixel"])
        facts.append(Fact("Per value", value, "squared error, mean over values"))
    if "psnr" in metrics:
        facts.append(Fact("PSNR", f"{metrics['psnr']:.1f} dB", "mean over test examples"))
    if "ssim" in metrics:
        facts.append(Fact("SSIM", f"{metrics['ssim']:.3f}", "1 for identical images"))
    for name, nats in metrics.get("terms", {}).items():
        facts.append(Fact(name.capitalize(), f"{short(nats)} nats", "per test example, unweighted"))
    if "knn_accuracy" in metrics:
        note = "of the classes told from the codes of the nearest training examples"
        facts.append(Fact("k-NN accuracy", f"{metrics['knn_accuracy']:.1%}", note))
    facts.append(Fact("Parameters", count(parameter_count(model)), "numbers that training sets"))
    if "seconds" in run.summary:
        steps = run.summary.get("steps")
        note = f"for {count(steps)} steps" if steps else ""
        facts.append(Fact("Training time", duration(run.summary["seconds"]), note))
    if "images_per_second" in run.summary:
        note = ", ".join(str(run.summary[k]) for k in ("device", "precision") if k in run.summary)
        speed = f"{count(round(run.summary['images_per_second']))}"
        facts.append(Fact("Examples a second", speed, f"in training, on {note}" if note else ""))
    return facts


def measured(metrics: Mapping[str, Any]) -> list[Fact]:
    """Every figure of the evaluation with its unit and how it was measured."""
    units, notes = metrics.get("units", {}), metrics.get("notes", {})
    values = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    values |= {f"terms.{name}": value for name, value in metrics.get("terms", {}).items()}
    return [
        Fact(name, f"{value:,.6g} {units.get(name, '')}".strip(), notes.get(name, ""))
        for name, value in values.items()
    ]


def data_facts(run: Run) -> list[Fact]:
    """What is known of the data."""
    data = run.data
    shape = " × ".join(map(str, run.sizes.x))
    facts = [
        Fact("name", str(data.get("name", ""))),
        Fact("source", str(data.get("source") or "arrays in memory")),
        Fact("one example", shape),
        Fact("training examples", count(run.sizes.n)),
    ]
    if data.get("classes"):
        named = ", ".join(f"{i}: {name}" for i, name in enumerate(data["classes"]))
        facts.append(Fact("classes", named))
    given = {k: v for k, v in data.get("options", {}).items() if v is not None}
    if given:
        facts.append(Fact("options", ", ".join(f"{k} = {v}" for k, v in given.items())))
    facts.append(Fact("fingerprint (SHA-256)", str(data.get("fingerprint", ""))))
    return facts


def settings_facts(run: Run) -> list[Fact]:
    """How it was trained."""
    return [
        Fact(name.replace("_", " "), "none" if value is None else str(value))
        for name, value in run.settings.items()
    ]
