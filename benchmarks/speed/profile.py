"""Where the time of a training step goes: `python benchmarks/speed --profile`."""

from __future__ import annotations

from contextlib import suppress

from torch.profiler import ProfilerActivity
from torch.profiler import profile as watched

WARM, STEPS, LINES = 20, 100, 30


class _Seen(Exception):
    """Enough steps were watched."""


def profile(compile: str) -> str:
    """Operators of our bf16 training step by the time that each itself takes.

    compile: "off", or "auto", as in a training of 15,000 steps.
    """
    from speed.contenders.ours import train

    seen, done = watched(activities=[ProfilerActivity.CPU]), 0

    def stepped() -> None:
        nonlocal done
        done += 1
        if done == WARM:
            seen.start()
        if done == WARM + STEPS:
            seen.stop()
            raise _Seen

    with suppress(_Seen):
        train(stepped, "mnist", "ae", "bf16", 15_000, compile)
    found = sorted(seen.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in found) / STEPS
    lines = [
        f"autoencode ae, bf16, compile {compile}: {total:,.0f} µs a step in operators, watched;",
        "µs of each itself in a step, and how often it is called:",
        *(
            f"{each.self_cpu_time_total / STEPS:8.1f}  {each.count / STEPS:5.1f}  {each.key}"
            for each in found[:LINES]
        ),
    ]
    return "\n".join(lines)
