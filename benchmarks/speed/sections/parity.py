"""Is quality sold? Test errors after the same number of steps."""

from __future__ import annotations

from statistics import mean
from typing import Any

from speed.bench import Bench
from speed.figures import Claim

CODES, SEEDS = (2, 32), (0, 1, 2)
FLOAT32, BF16 = "autoencode ae, float32", "autoencode ae, bf16"
TWIN = "the same net in a loop by hand, float32"


def measure(bench: Bench) -> dict[str, Any]:
    steps = bench.pace.of(2_000, 4)
    seeds = SEEDS[: bench.pace.of(3, 1)]
    record: dict[str, Any] = {"steps": steps, "seeds": seeds}
    for d in CODES:
        args = {"source": bench.mnist.source, "steps": steps, "seeds": seeds, "latent": d}
        record[f"d={d}"] = {
            TWIN: bench.call("ours", "ours:twin_errors", **args),
            FLOAT32: bench.call("ours", "ours:errors", precision="float32", **args),
            BF16: bench.call("ours", "ours:errors", precision="bf16", **args),
        }
    return record


def page(record: dict[str, Any]) -> str:
    seeds = len(record["seeds"])
    lines = [
        f"## Test error after {record['steps']:,} steps",
        "",
        "Squared error summed over pixels, mean over all test images. All three begin with the "
        "same weights and see the same batches: what differs is the arithmetic.",
        "",
        f"| | codes | mean of {seeds} seeds | each seed |",
        "|---|---:|---:|---|",
    ]
    for d in CODES:
        for name, errors in record[f"d={d}"].items():
            each = ", ".join(f"{error:.2f}" for error in errors)
            lines.append(f"| {name} | {d} | {mean(errors):.2f} | {each} |")
    return "\n".join([*lines, ""])


def claims(record: dict[str, Any]) -> list[Claim]:
    found = []
    for d in CODES:
        errors = {name: mean(each) for name, each in record[f"d={d}"].items()}
        for one, other, words in (
            (BF16, FLOAT32, "bf16 against float32"),
            (BF16, TWIN, "bf16 against the loop by hand"),
            (FLOAT32, TWIN, "float32 against the loop by hand"),
        ):
            above = errors[one] / errors[other] - 1
            found.append(
                Claim(
                    2,
                    f"Test error, d={d}: {words}, {len(record['seeds'])} seeds",
                    "within 1 %",
                    f"{above:+.2%}",
                    abs(above) <= 0.01,
                )
            )
    return found
