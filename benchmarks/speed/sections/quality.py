"""What error is reached in which time: rows of the table, trained whole."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from speed.bench import Bench, Candidate
from speed.figures import Claim, at_least, milliseconds
from speed.sections.training import NOTEBOOK

SEEDS = (0, 1, 2)
# The row, numbers in a code, its settings, the error asked for, and within how many seconds.
COURSE = "ae-funnel, 800 steps"
SHORT = {"steps": 800, "warmup": 100, "lr": 2e-3, "beta2": 0.95, "augment": 0.0}
Rows = dict[str, tuple[str, int, dict[str, Any], float | None, float | None]]
ROWS: Rows = {COURSE: ("ae-funnel", 2, SHORT, 31.1, None)}
# What the course's net is trained for.
STEPS = 50_000


def measure(bench: Bench) -> dict[str, Any]:
    by_hand = {"folder": bench.mnist.folder, "latent": 2}
    notebook = bench.race([Candidate(NOTEBOOK, "plain", "plain:notebook", by_hand)])
    return {"notebook": notebook, "rows": trained(bench, ROWS)}


def trained(bench: Bench, rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """What each seed of each row comes to."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, (recipe, latent, settings, _, _) in rows.items():
        given = {**settings, **({"steps": 4, "warmup": 0} if bench.pace.quick else {})}
        found[name] = [
            bench.call(
                "ours",
                "ours:trained",
                source=bench.mnist.source,
                recipe=recipe,
                latent=latent,
                settings={**given, "seed": seed},
            )
            for seed in SEEDS[: bench.pace.of(3, 1)]
        ]
    return found


def page(record: dict[str, Any]) -> str:
    lines = [
        "## What error is reached in which time",
        "",
        "Rows of the table on MNIST, each trained whole, with its validations, in a process of its "
        "own: squared error summed over pixels, mean over the 10,000 test images, and the seconds "
        "of the training, compiling included, without the loading of data. The settings were "
        "chosen by the error on validation images.",
        "",
        *table(record["rows"], ROWS),
        "",
        f"The notebook loop takes {_notebook(record):,.0f} s for the course's {STEPS:,} steps at "
        "the speed that it had in this run.",
        "",
    ]
    return "\n".join(lines)


def table(found: dict[str, list[dict[str, Any]]], rows: Rows) -> list[str]:
    """A line for each row."""
    lines = [
        "| row | codes | steps | seeds | squared error: mean, and each | s: median, min to max |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for name, runs in found.items():
        errors, took = ([run[what] for run in runs] for what in ("error", "seconds"))
        each = ", ".join(f"{error:.2f}" for error in errors)
        lines.append(
            f"| `{rows[name][0]}` | {rows[name][1]} | {runs[0]['steps']:,} | {len(runs)} "
            f"| {mean(errors):.2f} ({each}) "
            f"| {median(took):.0f} ({min(took):.0f} to {max(took):.0f}) |"
        )
    return lines


def _notebook(record: dict[str, Any]) -> float:
    """Seconds of the course's training."""
    took = milliseconds(record["notebook"], NOTEBOOK)
    assert took is not None
    return took * STEPS / 1e3


def claims(record: dict[str, Any]) -> list[Claim]:
    ratio = _notebook(record) / median(run["seconds"] for run in record["rows"][COURSE])
    times = at_least(4, "That, times the notebook's 50,000 steps", ratio, 40)
    return [*reached(record["rows"], ROWS), times]


def reached(found: dict[str, list[dict[str, Any]]], rows: Rows) -> list[Claim]:
    """What was asked of the rows of which anything was."""
    claims = []
    for name, runs in found.items():
        recipe, latent, _, asked, within = rows[name]
        seconds = median(run["seconds"] for run in runs)
        error = mean(run["error"] for run in runs)
        if asked is None:
            continue
        words = f" within {within:.0f} s" if within else ""
        in_time = within is None or seconds <= within
        claims.append(
            Claim(
                4,
                f"Squared error, d={latent}, of `{recipe}`{words}",
                f"at most {asked:g}",
                f"{error:.2f} in {seconds:.0f} s",
                error <= asked and in_time,
            )
        )
    return claims
