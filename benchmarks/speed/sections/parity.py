"""Test errors after the same number of steps: speed must not cost quality."""

from __future__ import annotations

from statistics import mean
from typing import Any

from speed.bench import Bench
from speed.figures import Target

CODES, SEEDS = (2, 32), (0, 1, 2)
FLOAT32, BF16 = "autoencode ae, float32", "autoencode ae, bf16"
PLAIN = "plain loop, same network, float32"


def measure(bench: Bench) -> dict[str, Any]:
    steps = bench.size.choose(2_000, 4)
    seeds = SEEDS[: bench.size.choose(3, 1)]
    record: dict[str, Any] = {"steps": steps, "seeds": seeds}
    for d in CODES:
        args = {"source": bench.mnist.source, "steps": steps, "seeds": seeds, "latent": d}
        record[f"d={d}"] = {
            PLAIN: bench.call("ours", "ours:plain_errors", **args),
            FLOAT32: bench.call("ours", "ours:errors", precision="float32", **args),
            BF16: bench.call("ours", "ours:errors", precision="bf16", **args),
        }
    return record


def page(record: dict[str, Any]) -> str:
    seeds = len(record["seeds"])
    lines = [
        f"## Test error after {record['steps']:,} steps",
        "",
        "Squared error, summed over pixels in [0, 1], mean over all test images. All three start "
        "from the same weights and use the same batches; only the arithmetic differs.",
        "",
        f"| | latent dimensions | mean of {seeds} seeds | each seed |",
        "|---|---:|---:|---|",
    ]
    for d in CODES:
        for name, errors in record[f"d={d}"].items():
            each = ", ".join(f"{error:.2f}" for error in errors)
            lines.append(f"| {name} | {d} | {mean(errors):.2f} | {each} |")
    return "\n".join([*lines, ""])


def targets(record: dict[str, Any]) -> list[Target]:
    results: list[Target] = []
    for d in CODES:
        errors = {name: mean(each) for name, each in record[f"d={d}"].items()}
        for one, other, words in (
            (BF16, FLOAT32, "bf16 relative to float32"),
            (BF16, PLAIN, "bf16 relative to a plain loop"),
            (FLOAT32, PLAIN, "float32 relative to a plain loop"),
        ):
            above = errors[one] / errors[other] - 1
            results.append(
                Target(
                    2,
                    f"Test error, {d} latent dimensions: {words}, {len(record['seeds'])} seeds",
                    "within 1 %",
                    f"{above:+.2%}",
                    abs(above) <= 0.01,
                )
            )
    return results
