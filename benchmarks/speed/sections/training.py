"""Training the course's net."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Candidate
from speed.figures import Claim, at_least, at_most, table, times_faster

NOTEBOOK = "notebook loop: PIL images, DataLoader, Adam"
PLAIN = "plain loop: one tensor in memory, Adam"
PREPARED = "the plain loop, keeping freed memory as autoencode does"
PYTHAE = "Pythae AE"
LIGHTNING = "Lightning, TensorDataset, DataLoader"
KERAS = "Keras on torch, array in memory"
FLOAT32, BF16 = "autoencode ae, float32", "autoencode ae, bf16"
FLOAT32_PLAIN, BF16_PLAIN = f"{FLOAT32}, not compiled", f"{BF16}, not compiled"
FLOOR32, FLOOR32_MKL = (
    "floor: matrix products alone, float32 by oneDNN",
    "matrix products alone, float32 as torch computes them by default",
)
FLOOR16 = "floor: matrix products alone, bf16"
TRAFFIC = "one copy of the bytes that Adam reads and writes"
CODES = (2, 32)


def contenders(bench: Bench, latent: int) -> list[Candidate]:
    """All that train the net with such codes, and the floors."""
    by_hand = {"folder": bench.mnist.folder, "latent": latent}
    ours = {
        "source": bench.mnist.source,
        "recipe": "ae",
        "latent": latent,
        "steps": bench.pace.training,
    }
    return [
        Candidate(NOTEBOOK, "plain", "plain:notebook", by_hand),
        Candidate(PYTHAE, "peers", "with_pythae:ae", by_hand),
        Candidate(LIGHTNING, "peers", "with_lightning:training", by_hand),
        Candidate(KERAS, "peers", "with_keras:training", by_hand),
        Candidate(PLAIN, "plain", "plain:tensor", by_hand),
        Candidate(PREPARED, "ours", "plain:prepared_tensor", by_hand),
        *(
            Candidate(
                name, "ours", "ours:training", {**ours, "precision": precision, "compile": how}
            )
            for name, precision, how in (
                (FLOAT32_PLAIN, "float32", "off"),
                (FLOAT32, "float32", "auto"),
                (BF16_PLAIN, "bf16", "off"),
                (BF16, "bf16", "auto"),
            )
        ),
        _floor(FLOOR32_MKL, "products", latent=latent, dtype="float32"),
        _floor(FLOOR32, "products", latent=latent, dtype="float32", by="oneDNN"),
        _floor(FLOOR16, "products", latent=latent, dtype="bfloat16"),
        _floor(TRAFFIC, "traffic", latent=latent),
    ]


def _floor(name: str, function: str, **args: Any) -> Candidate:
    # Where ours are: what is left above the floor is then the loop's and not the process's.
    return Candidate(name, "ours", f"floor:{function}", args)


def measure(bench: Bench) -> dict[str, Any]:
    return {f"d={d}": bench.race(contenders(bench, d)) for d in CODES}


def page(record: dict[str, Any]) -> str:
    lines = ["## Training: the course's net, 784-512-d-512-784, batches of 200", ""]
    for d in CODES:
        lines += [f"Codes of {d} numbers:", "", table(record[f"d={d}"], BF16), ""]
    lines.append(
        "Ours is the training loop with its log, without validation and checkpoints, as in a "
        "training of 15,000 steps; one so long is compiled unless told otherwise. Lightning's log, "
        "checkpoints and progress bar are switched off; Pythae's bar is on, as it cannot be "
        "switched off."
    )
    return "\n".join(lines)


def claims(record: dict[str, Any]) -> list[Claim]:
    rows, net = record["d=2"], "MLP training, d=2"

    def over(other: str, one: str = BF16) -> float | None:
        return times_faster(rows, one, other)

    return [
        at_least(1, f"{net}, bf16: times the notebook loop", over(NOTEBOOK), 6),
        at_least(1, f"{net}, bf16: times Pythae", over(PYTHAE), 4),
        at_least(1, f"{net}, bf16: times the plain loop", over(PLAIN), 3),
        at_least(1, f"{net}, float32: times the plain loop", over(PLAIN, FLOAT32), 1.9),
        at_most(1, f"{net}, bf16: times the floor's time", over(BF16, FLOOR16), 1.4),
        at_most(1, f"{net}, float32: times the floor's time", over(FLOAT32, FLOOR32), 1.4),
    ]
