"""A GPU, where there is one: the course's training, alone and many at once."""

from __future__ import annotations

from statistics import mean
from typing import Any

from speed.bench import Bench
from speed.figures import Claim

LATENT, STEPS = 2, 50_000
# So many models, within so many seconds.
ASKED = {1: 5.0, 64: 20.0}


def measure(bench: Bench) -> dict[str, Any]:
    name = bench.call("ours", "gpu:name")
    if name is None and not bench.pace.quick:
        return {"name": None}
    # A trial run shows the path on a processor.
    given = {
        "source": bench.mnist.source,
        "device": "cpu" if name is None else "cuda",
        "latent": LATENT,
    }
    steps = bench.pace.of(STEPS, 4)
    return {
        "name": name or "no GPU, a processor",
        "rows": [
            bench.call("ours", "gpu:trained", **given, steps=steps, models=models)
            for models in (bench.pace.of(models, min(models, 2)) for models in ASKED)
        ],
        "plain": bench.call("ours", "gpu:plain", **given, steps=bench.pace.of(2_000, 2)),
    }


def page(record: dict[str, Any]) -> str:
    lines = ["## On a GPU", ""]
    if record["name"] is None:
        return "\n".join(
            [
                *lines,
                "No GPU has been measured. The path to one, many models in lockstep with their "
                "weights in common tensors, and a single one likewise with `--compile on`, is "
                "tested on the processor, where each model is what it is alone "
                "(`tests/train/test_stack.py`, `tests/train/test_recorded_alone.py`); its updates "
                "are recorded and played back on a GPU only, and the recording is tried against "
                "the updates before it is used.",
                "",
            ]
        )
    lines += [
        f"{record['name']}; the course's net, batches of 200, in lockstep as `fit_many` trains "
        "alike models there, compiling and recording included.",
        "",
        "| models | steps of each | s | of that compiling | squared error, mean |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {row['models']} | {row['steps']:,} | {row['seconds']:.1f} "
            f"| {row['compiling']:.1f} | {mean(row['errors']):.2f} |"
            for row in record["rows"]
        ),
        "",
        f"A plain loop over a tensor on the device takes {1e6 * record['plain']:,.0f} µs a step, "
        f"{record['plain'] * STEPS:,.0f} s for {STEPS:,}.",
        "",
    ]
    return "\n".join(lines)


def claims(record: dict[str, Any]) -> list[Claim]:
    rows = record.get("rows", ())
    found = {row["models"]: row["seconds"] for row in rows if row["steps"] == STEPS}
    return [
        Claim(
            7,
            f"{STEPS:,} steps of the course's net on a GPU, models at once: {models}",
            f"at most {within:g} s",
            f"{found[models]:.1f} s" if models in found else "not measured",
            found[models] <= within if models in found else None,
        )
        for models, within in ASKED.items()
    ]
