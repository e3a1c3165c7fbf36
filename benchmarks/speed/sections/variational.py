"""Training the VAE and the VQ-VAE."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Candidate
from speed.figures import Claim, table

VAE16, VQ16 = "autoencode vae, bf16", "autoencode vq-vae, bf16"
# Of the row vq-vae.
LATENT, DIM, ENTRIES = 64, 2, 256


def measure(bench: Bench) -> dict[str, Any]:
    source, folder = bench.mnist.source, bench.mnist.folder

    def ours(name: str, recipe: str, precision: str) -> Candidate:
        args = {
            "source": source,
            "recipe": recipe,
            "precision": precision,
            "steps": bench.pace.training,
        }
        return Candidate(name, "ours", "ours:training", args)

    by_hand = {"folder": folder, "latent": 2}
    vae = [
        Candidate("Pythae VAE", "peers", "with_pythae:vae", by_hand),
        Candidate("plain loop: one tensor in memory, Adam", "plain", "plain:vae", by_hand),
        ours("autoencode vae, float32", "vae", "float32"),
        ours(VAE16, "vae", "bf16"),
    ]
    theirs = {"folder": folder, "latent": LATENT, "dim": DIM, "entries": ENTRIES}
    vq = [
        Candidate("Pythae VQVAE", "peers", "with_pythae:vq_vae", theirs),
        ours("autoencode vq-vae, float32", "vq-vae", "float32"),
        ours(VQ16, "vq-vae", "bf16"),
    ]
    return {"vae": bench.race(vae), "vq-vae": bench.race(vq)}


def page(record: dict[str, Any]) -> str:
    return "\n".join(
        [
            "## Training: VAE and VQ-VAE, batches of 200",
            "",
            "784-512-2-512-784 with Bernoulli pixels:",
            "",
            table(record["vae"], VAE16),
            "",
            f"Codes of {LATENT // DIM} groups of {DIM} numbers from a book of {ENTRIES}, learned "
            "by averages, between dense layers of 512 with batch normalisation:",
            "",
            table(record["vq-vae"], VQ16),
            "",
        ]
    )


def claims(record: dict[str, Any]) -> list[Claim]:
    return []
