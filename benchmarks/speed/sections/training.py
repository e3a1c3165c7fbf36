"""Training of the course's network."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Workload
from speed.figures import Target, at_least, at_most, table, times_faster

NOTEBOOK = "notebook loop: PIL images, DataLoader, Adam"
PLAIN = "plain loop: one tensor in memory, Adam"
PREPARED = "plain loop that keeps freed memory as autoencode does"
PYTHAE = "Pythae AE"
LIGHTNING = "Lightning, TensorDataset, DataLoader"
KERAS = "Keras on torch, array in memory"
FLOAT32, BF16 = "autoencode ae, float32", "autoencode ae, bf16"
FLOAT32_PLAIN, BF16_PLAIN = f"{FLOAT32}, not compiled", f"{BF16}, not compiled"
PRODUCTS32 = "matrix products only, float32 with the default of torch"
BOUND32 = "lower bound: matrix products only, float32 by oneDNN"
BOUND16 = "lower bound: matrix products only, bf16"
TRAFFIC = "one copy of the bytes that Adam reads and writes"
LATENTS = (2, 32)


def workloads(bench: Bench, latent: int) -> list[Workload]:
    """All programs that train the network, and the lower bounds."""
    plain = {"folder": bench.mnist.folder, "latent": latent}
    ours = {
        "source": bench.mnist.source,
        "recipe": "ae",
        "latent": latent,
        "steps": bench.size.training_steps,
    }
    return [
        Workload(NOTEBOOK, "plain", "plain:notebook", plain),
        Workload(PYTHAE, "peers", "with_pythae:ae", plain),
        Workload(LIGHTNING, "peers", "with_lightning:training", plain),
        Workload(KERAS, "peers", "with_keras:training", plain),
        Workload(PLAIN, "plain", "plain:tensor", plain),
        Workload(PREPARED, "ours", "plain:prepared_tensor", plain),
        *(
            Workload(
                name, "ours", "ours:training", {**ours, "precision": precision, "compile": compile}
            )
            for name, precision, compile in (
                (FLOAT32_PLAIN, "float32", "off"),
                (FLOAT32, "float32", "auto"),
                (BF16_PLAIN, "bf16", "off"),
                (BF16, "bf16", "auto"),
            )
        ),
        _lower_bound(PRODUCTS32, "products", latent=latent, dtype="float32"),
        _lower_bound(BOUND32, "products", latent=latent, dtype="float32", library="oneDNN"),
        _lower_bound(BOUND16, "products", latent=latent, dtype="bfloat16"),
        _lower_bound(TRAFFIC, "traffic", latent=latent),
    ]


def _lower_bound(name: str, function: str, **args: Any) -> Workload:
    # In the environment of this package, so that only the loop differs, not the process.
    return Workload(name, "ours", f"lower_bounds:{function}", args)


def measure(bench: Bench) -> dict[str, Any]:
    return {f"d={d}": bench.time_in_turns(workloads(bench, d)) for d in LATENTS}


def page(record: dict[str, Any]) -> str:
    lines = ["## Training: the course's network, 784-512-d-512-784, batches of 200", ""]
    for d in LATENTS:
        lines += [f"{d} latent dimensions:", "", table(record[f"d={d}"], BF16), ""]
    lines.append(
        "The training loop of autoencode writes its log, without validation and checkpoints, as in "
        "a training of 15,000 steps, which is long enough to be compiled by default. The log, "
        "checkpoints and progress bar of Lightning are switched off. The progress bar of Pythae is "
        "on, because it cannot be switched off."
    )
    return "\n".join(lines)


def targets(record: dict[str, Any]) -> list[Target]:
    rows = record["d=2"]
    speed, time = (f"Training {what} of `ae`, 2 latent dimensions" for what in ("speed", "time"))

    def ratio(other: str, one: str = BF16) -> float | None:
        return times_faster(rows, one, other)

    return [
        at_least(1, f"{speed}, bf16, relative to the notebook loop", ratio(NOTEBOOK), 6),
        at_least(1, f"{speed}, bf16, relative to Pythae", ratio(PYTHAE), 4),
        at_least(1, f"{speed}, bf16, relative to the plain loop", ratio(PLAIN), 3),
        at_least(1, f"{speed}, float32, relative to the plain loop", ratio(PLAIN, FLOAT32), 1.9),
        at_most(1, f"{time}, bf16, relative to the lower bound", ratio(BF16, BOUND16), 1.4),
        at_most(1, f"{time}, float32, relative to the lower bound", ratio(FLOAT32, BOUND32), 1.4),
    ]
