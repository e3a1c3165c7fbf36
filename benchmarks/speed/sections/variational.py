"""Training of the VAE and of the VQ-VAE."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Workload
from speed.figures import Target, table

VAE16, VQ16 = "autoencode vae, bf16", "autoencode vq-vae, bf16"
# Of the recipe vq-vae.
LATENT, DIM, ENTRIES = 64, 2, 256


def measure(bench: Bench) -> dict[str, Any]:
    source, folder = bench.mnist.source, bench.mnist.folder

    def ours(name: str, recipe: str, precision: str) -> Workload:
        args = {
            "source": source,
            "recipe": recipe,
            "precision": precision,
            "steps": bench.size.training_steps,
        }
        return Workload(name, "ours", "ours:training", args)

    plain = {"folder": folder, "latent": 2}
    vae = [
        Workload("Pythae VAE", "peers", "with_pythae:vae", plain),
        Workload("plain loop: one tensor in memory, Adam", "plain", "plain:vae", plain),
        ours("autoencode vae, float32", "vae", "float32"),
        ours(VAE16, "vae", "bf16"),
    ]
    theirs = {"folder": folder, "latent": LATENT, "dim": DIM, "entries": ENTRIES}
    vq = [
        Workload("Pythae VQVAE", "peers", "with_pythae:vq_vae", theirs),
        ours("autoencode vq-vae, float32", "vq-vae", "float32"),
        ours(VQ16, "vq-vae", "bf16"),
    ]
    return {"vae": bench.time_in_turns(vae), "vq-vae": bench.time_in_turns(vq)}


def page(record: dict[str, Any]) -> str:
    return "\n".join(
        [
            "## Training: VAE and VQ-VAE, batches of 200",
            "",
            "VAE, 784-512-2-512-784, Bernoulli likelihood:",
            "",
            table(record["vae"], VAE16),
            "",
            f"VQ-VAE, {LATENT // DIM} groups of {DIM} dimensions, a codebook of {ENTRIES} entries "
            "learned by moving averages, dense layers of 512 with batch normalisation:",
            "",
            table(record["vq-vae"], VQ16),
            "",
        ]
    )


def targets(record: dict[str, Any]) -> list[Target]:
    return []
