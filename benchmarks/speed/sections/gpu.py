"""A GPU, where there is one: the course's training, compiled and not."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Claim

LATENT, STEPS = 2, 50_000


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
    ways = ("off",) if name is None else ("off", "on")
    return {
        "name": name or "no GPU, a processor",
        "rows": [bench.call("ours", "gpu:trained", **given, steps=steps, compile=w) for w in ways],
        "plain": bench.call("ours", "gpu:plain", **given, steps=bench.pace.of(2_000, 2)),
    }


def page(record: dict[str, Any]) -> str:
    if record["name"] is None:
        return "## On a GPU\n\nNo GPU has been measured.\n"
    lines = [
        "## On a GPU",
        "",
        f"{record['name']}; the course's net, d={LATENT}, batches of 200, one training.",
        "",
        "| `--compile` | steps | s | of that compiling | squared error |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row['compile']} | {row['steps']:,} | {row['seconds']:.1f} "
            f"| {row['compiling']:.1f} | {row['error']:.2f} |"
            for row in record["rows"]
        ),
        "",
        f"A plain loop over a tensor on the device takes {1e6 * record['plain']:,.0f} µs a step, "
        f"{record['plain'] * STEPS:,.0f} s for {STEPS:,}.",
        "",
    ]
    return "\n".join(lines)


def claims(record: dict[str, Any]) -> list[Claim]:
    return []
