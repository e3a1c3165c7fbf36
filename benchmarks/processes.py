"""Milliseconds of a training step in one process and in two on this machine.

    .venv/bin/python benchmarks/processes.py [--data mnist] [--steps 200] [--repeats 3]

Each arrangement trains in processes of its own, one after another, and all of them once before any
is repeated; the best of the repeats is printed. Times are of the updates alone. The figures of
docs/distributed.md are those of this script.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from machine import machine

RECIPES = ("vae", "conv-vae")
BATCH = 200


class Arrangement(NamedTuple):
    """How a model is trained: processes, threads of each, examples of a batch."""

    processes: int
    threads: int
    batch: int


ARRANGEMENTS = {
    "one process, one thread": Arrangement(1, 1, BATCH),
    "one process, two threads": Arrangement(1, 2, BATCH),
    "two processes, one thread each": Arrangement(2, 1, BATCH),
    "one process, one thread, half of the batch": Arrangement(1, 1, BATCH // 2),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--train", nargs=2, metavar=("RECIPE", "BATCH"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.train is not None:
        train(given.train[0], given.data, given.steps, int(given.train[1]))
        return
    best: dict[tuple[str, str], float] = {}
    for _ in range(given.repeats):
        for name, arrangement in ARRANGEMENTS.items():
            for recipe in RECIPES:
                found = measured(arrangement, recipe, given.data, given.steps)
                best[name, recipe] = min(found, best.get((name, recipe), found))
    print(f"{machine()}; {given.data}, {given.steps} steps, best of {given.repeats}\n")
    print(f"| ms a step, batches of {BATCH} | {' | '.join(RECIPES)} |")
    print(f"|---|{'---|' * len(RECIPES)}")
    for name in ARRANGEMENTS:
        cells = (f"{best[name, recipe]:.1f}" for recipe in RECIPES)
        print(f"| {name} | {' | '.join(cells)} |")


def measured(arrangement: Arrangement, recipe: str, data: str, steps: int) -> float:
    """Milliseconds of a step, measured in other processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    launcher = [*torchrun, str(arrangement.processes)] if arrangement.processes > 1 else []
    words = ["--data", data, "--steps", str(steps), "--train", recipe, str(arrangement.batch)]
    done = subprocess.run(
        [sys.executable, *launcher, __file__, *words],
        env={**os.environ, "OMP_NUM_THREADS": str(arrangement.threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def train(recipe: str, data: str, steps: int, batch: int) -> None:
    """Trains and prints the milliseconds of a step, in the first of the processes."""
    import autoencode as ae

    fitted = ae.fit(
        recipe,
        data,
        steps=steps,
        batch_size=batch,
        precision="float32",
        compile="off",
        validate_every=steps,
        progress=False,
    )
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(1000 * batch / fitted.summary["images_per_second"]))


if __name__ == "__main__":
    main()
