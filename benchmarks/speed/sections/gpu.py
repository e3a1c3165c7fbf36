"""Training on a GPU, if there is one: the course's network, compiled and not compiled."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Target

LATENT, STEPS = 2, 50_000


def measure(bench: Bench) -> dict[str, Any]:
    name = bench.call("ours", "gpu:name")
    if name is None and not bench.size.quick:
        return {"name": None}
    # A quick run tests this section on a CPU if there is no GPU.
    args = {
        "source": bench.mnist.source,
        "device": "cpu" if name is None else "cuda",
        "latent": LATENT,
    }
    steps = bench.size.choose(STEPS, 4)
    modes = ("off",) if name is None else ("off", "on")
    return {
        "name": name or "no GPU; measured on a CPU",
        "rows": [bench.call("ours", "gpu:trained", **args, steps=steps, compile=m) for m in modes],
        "plain": bench.call("ours", "gpu:plain", **args, steps=bench.size.choose(2_000, 2)),
    }


def page(record: dict[str, Any]) -> str:
    if record["name"] is None:
        return "## On a GPU\n\nNo GPU has been measured.\n"
    lines = [
        "## On a GPU",
        "",
        f"{record['name']}; the network 784-512-{LATENT}-512-784, batches of 200, one training:",
        "",
        "| `--compile` | steps | s, total | s, compiling | squared error |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row['compile']} | {row['steps']:,} | {row['seconds']:.1f} "
            f"| {row['compiling']:.1f} | {row['error']:.2f} |"
            for row in record["rows"]
        ),
        "",
        f"A plain loop over a tensor on the device takes {1e6 * record['plain']:,.0f} µs per step, "
        f"{record['plain'] * STEPS:,.0f} s for {STEPS:,} steps.",
        "",
    ]
    return "\n".join(lines)


def targets(record: dict[str, Any]) -> list[Target]:
    return []
