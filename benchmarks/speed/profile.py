"""The time of each operator in a training step: `python benchmarks/speed --profile`."""

from __future__ import annotations

from contextlib import suppress

from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

WARM_UP_STEPS, STEPS, MAX_LINES = 20, 100, 30


class _Stop(Exception):
    """Ends the training: enough steps were profiled."""


def profile(compile: str) -> str:
    """A table of the operators in a bf16 training step of `ae`, sorted by their own time.

    compile: "off", or "auto", as in a training of 15,000 steps.
    """
    from speed.workloads.ours import train

    profiler, done = torch_profile(activities=[ProfilerActivity.CPU]), 0

    def on_step() -> None:
        nonlocal done
        done += 1
        if done == WARM_UP_STEPS:
            profiler.start()
        if done == WARM_UP_STEPS + STEPS:
            profiler.stop()
            raise _Stop

    with suppress(_Stop):
        train(on_step, "mnist", "ae", "bf16", 15_000, compile)
    operators = sorted(profiler.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in operators) / STEPS
    lines = [
        f"autoencode ae, bf16, compile {compile}: {total:,.0f} µs per step in operators, profiled;",
        "own time of each operator in µs per step, calls per step, name:",
        *(
            f"{each.self_cpu_time_total / STEPS:8.1f}  {each.count / STEPS:5.1f}  {each.key}"
            for each in operators[:MAX_LINES]
        ),
    ]
    return "\n".join(lines)
