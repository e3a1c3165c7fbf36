"""Using a model: codes, new images, likelihoods. Its weights are fresh: they cost no time."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Candidate
from speed.figures import Claim, at_least, for_image, table, times_faster

EMBED = "autoencode embed"
ITEMS = "DataLoader loop, PIL images"
IN_MEMORY = "DataLoader loop, TensorDataset"
GENERATE, NLL = "autoencode generate", "autoencode log_likelihood"
PYTHAE_NLL = "Pythae get_nll"
NLL_FLOOR = "floor: the decoder's products alone, float32 by oneDNN"
LATENT = 2


def measure(bench: Bench) -> dict[str, Any]:
    mnist, of = bench.mnist, bench.pace.of
    by_hand = {"folder": mnist.folder, "latent": LATENT}
    ours = {"source": mnist.source, "latent": LATENT}
    many = of(60_000, 2_000)
    embedding = [
        Candidate(ITEMS, "plain", "plain:embed_items", by_hand, many, 1),
        Candidate(IN_MEMORY, "plain", "plain:embed_tensor", by_hand, many, 1),
        Candidate("Pythae embed", "peers", "with_pythae:embedding", by_hand, many, 1),
        Candidate(EMBED, "ours", "ours:embedding", {**ours, "recipe": "ae"}, many, 1),
    ]
    new = of(10_000, 400)
    codes = {"latent": LATENT, "images": new}
    prior = {"shape": mnist.shape, "recipe": "vae", **codes}
    generation = [
        Candidate("Pythae NormalSampler", "peers", "with_pythae:generating", codes, new, 4),
        Candidate("decoder in a plain loop", "plain", "plain:generate", codes, new, 4),
        Candidate(GENERATE, "ours", "ours:generating", prior, new, 4),
    ]
    samples, theirs, few = of(1_000, 100), of(10, 2), of(100, 4)
    weights = {"samples": samples, "latent": LATENT}
    likelihood = [
        Candidate(
            PYTHAE_NLL,
            "peers",
            "with_pythae:likelihood",
            {"folder": mnist.folder, "images": theirs, **weights},
            theirs,
            1,
        ),
        Candidate(
            NLL,
            "ours",
            "ours:likelihood",
            {"source": mnist.source, "recipe": "vae", "images": few, **weights},
            few,
            1,
        ),
        Candidate(NLL_FLOOR, "ours", "floor:decoding", {"images": few, **weights}, few, 1),
    ]
    return {
        "embedding": bench.race(embedding),
        "generation": bench.race(generation),
        "likelihood": bench.race(likelihood),
        "samples": samples,
    }


def page(record: dict[str, Any]) -> str:
    samples, rows = record["samples"], record["likelihood"]
    hours = [
        f"{name} {each * 10_000 / 1e3:,.0f} s"
        for name in (PYTHAE_NLL, NLL)
        if (each := for_image(rows, name)) is not None
    ]
    few = ", ".join(
        f"{row['name']} {row['images']}"
        for row in rows
        if "images" in row and row["name"] != NLL_FLOOR
    )
    most = times_faster(rows, NLL_FLOOR, PYTHAE_NLL)
    return "\n".join(
        [
            "## Use",
            "",
            "Codes of the training and validation images by the course's encoder, 784-512-2:",
            "",
            table(record["embedding"], EMBED, "all images once"),
            "",
            "New images from the prior, 2-512-784:",
            "",
            table(record["generation"], GENERATE, "all images once"),
            "",
            f"ln p(x) of test images from {samples:,} importance samples each, VAE 784-512-2:",
            "",
            table(rows, NLL, "all images once"),
            "",
            f"Measured on so many images: {few}. Either takes each image alone, so that 10,000 "
            f"take, in proportion: {', '.join(hours)}."
            + (f" The products alone take {most:.1f} times less than Pythae." if most else ""),
            "",
        ]
    )


def claims(record: dict[str, Any]) -> list[Claim]:
    embedding = record["embedding"]
    nll = times_faster(record["likelihood"], NLL, PYTHAE_NLL)
    what = f"NLL from {record['samples']:,} samples: times Pythae's get_nll"
    return [
        at_least(6, f"Embedding: times the {ITEMS}", times_faster(embedding, EMBED, ITEMS), 4),
        at_least(
            6, f"Embedding: times the {IN_MEMORY}", times_faster(embedding, EMBED, IN_MEMORY), 4
        ),
        at_least(6, what, nll, 10),
    ]
