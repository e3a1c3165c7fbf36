"""Test error and training time of recipes that are trained completely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

from speed.bench import Bench, Workload
from speed.figures import Target, at_least, milliseconds
from speed.sections.training import NOTEBOOK

SEEDS = (0, 1, 2)
# Steps of the course's training.
COURSE_STEPS = 50_000


@dataclass(frozen=True)
class TimedRecipe:
    """A recipe to train, and the target for its test error.

    settings: of the training, where they differ from those of the recipe.
    max_error, max_seconds: the target; None if there is no bound.
    """

    name: str
    latent: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_error: float | None = None
    max_seconds: float | None = None


SHORT = "ae-funnel, 800 steps"
SETTINGS = {"steps": 800, "warmup": 100, "lr": 2e-3, "beta2": 0.95, "augment": 0.0}
RECIPES = {SHORT: TimedRecipe("ae-funnel", latent=2, settings=SETTINGS, max_error=31.1)}


def measure(bench: Bench) -> dict[str, Any]:
    plain = {"folder": bench.mnist.folder, "latent": 2}
    notebook = bench.time_in_turns([Workload(NOTEBOOK, "plain", "plain:notebook", plain)])
    return {"notebook": notebook, "rows": trained(bench, RECIPES)}


def trained(bench: Bench, recipes: Mapping[str, TimedRecipe]) -> dict[str, list[dict[str, Any]]]:
    """Trains each recipe with each seed; test error, steps and seconds."""
    quick = {"steps": 4, "warmup": 0} if bench.size.quick else {}
    return {
        row: [
            bench.call(
                "ours",
                "ours:trained",
                source=bench.mnist.source,
                recipe=recipe.name,
                latent=recipe.latent,
                settings={**recipe.settings, **quick, "seed": seed},
            )
            for seed in SEEDS[: bench.size.choose(3, 1)]
        ]
        for row, recipe in recipes.items()
    }


def page(record: dict[str, Any]) -> str:
    lines = [
        "## Test error and training time",
        "",
        "Recipes trained completely on MNIST, with validation, each in its own process: squared "
        "error, summed over pixels in [0, 1], mean over the 10,000 test images; seconds of the "
        "training, with compiling, without loading the data. The settings were chosen by the error "
        "on validation images.",
        "",
        *table(record["rows"], RECIPES),
        "",
        f"The notebook loop needs {_notebook_seconds(record):,.0f} s for the {COURSE_STEPS:,} "
        "steps of the course, at its speed in this run.",
        "",
    ]
    return "\n".join(lines)


def table(runs: dict[str, list[dict[str, Any]]], recipes: Mapping[str, TimedRecipe]) -> list[str]:
    """A Markdown table with a row for each recipe."""
    lines = [
        "| recipe | latent dimensions | steps | seeds | squared error: mean, and each seed "
        "| s: median (min to max) |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for row, each in runs.items():
        errors, seconds = ([run[key] for run in each] for key in ("error", "seconds"))
        lines.append(
            f"| `{recipes[row].name}` | {recipes[row].latent} | {each[0]['steps']:,} | {len(each)} "
            f"| {mean(errors):.2f} ({', '.join(f'{error:.2f}' for error in errors)}) "
            f"| {median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f}) |"
        )
    return lines


def _notebook_seconds(record: dict[str, Any]) -> float:
    """Seconds of the course's training in the notebook loop."""
    step = milliseconds(record["notebook"], NOTEBOOK)
    assert step is not None
    return step * COURSE_STEPS / 1e3


def targets(record: dict[str, Any]) -> list[Target]:
    ratio = _notebook_seconds(record) / median(run["seconds"] for run in record["rows"][SHORT])
    what = f"Speed of that training, relative to {COURSE_STEPS:,} steps of the notebook loop"
    return [*error_targets(record["rows"], RECIPES), at_least(4, what, ratio, 40)]


def error_targets(
    runs: dict[str, list[dict[str, Any]]], recipes: Mapping[str, TimedRecipe]
) -> list[Target]:
    """The targets of the recipes that have one."""
    targets = []
    for row, each in runs.items():
        recipe = recipes[row]
        if recipe.max_error is None:
            continue
        seconds = median(run["seconds"] for run in each)
        error = mean(run["error"] for run in each)
        limit = f" within {recipe.max_seconds:.0f} s" if recipe.max_seconds else ""
        in_time = recipe.max_seconds is None or seconds <= recipe.max_seconds
        targets.append(
            Target(
                4,
                f"Squared error of `{recipe.name}`, {recipe.latent} latent dimensions{limit}",
                f"at most {recipe.max_error:g}",
                f"{error:.2f} in {seconds:.0f} s",
                error <= recipe.max_error and in_time,
            )
        )
    return targets
