"""Inference: codes, new images, likelihoods, with weights that are not trained."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Workload
from speed.figures import Target, at_least, milliseconds_per_image, table, times_faster

EMBED = "autoencode embed"
ITEMS = "DataLoader loop, PIL images"
IN_MEMORY = "DataLoader loop, TensorDataset"
GENERATE, NLL = "autoencode generate", "autoencode log_likelihood"
NLL_BF16 = f"{NLL}, precision bf16"
PYTHAE_NLL = "Pythae get_nll"
NLL_BOUND = "lower bound: matrix products of the decoder only, float32 by oneDNN"
LATENT = 2


def measure(bench: Bench) -> dict[str, Any]:
    mnist, choose = bench.mnist, bench.size.choose
    plain = {"folder": mnist.folder, "latent": LATENT}
    ours = {"source": mnist.source, "latent": LATENT}
    many = choose(60_000, 2_000)
    embedding = [
        Workload(ITEMS, "plain", "plain:embed_items", plain, many, 1),
        Workload(IN_MEMORY, "plain", "plain:embed_tensor", plain, many, 1),
        Workload("Pythae embed", "peers", "with_pythae:embedding", plain, many, 1),
        Workload(EMBED, "ours", "ours:embedding", {**ours, "recipe": "ae"}, many, 1),
    ]
    new = choose(10_000, 400)
    codes = {"latent": LATENT, "images": new}
    prior = {"shape": mnist.shape, "recipe": "vae", **codes}
    generation = [
        Workload("Pythae NormalSampler", "peers", "with_pythae:generating", codes, new, 4),
        Workload("decoder in a plain loop", "plain", "plain:generate", codes, new, 4),
        Workload(GENERATE, "ours", "ours:generating", prior, new, 4),
    ]
    samples, theirs, few = choose(1_000, 100), choose(10, 2), choose(100, 4)
    size = {"samples": samples, "latent": LATENT}
    likelihood = [
        Workload(
            PYTHAE_NLL,
            "peers",
            "with_pythae:likelihood",
            {"folder": mnist.folder, "images": theirs, **size},
            theirs,
            1,
        ),
        Workload(
            NLL,
            "ours",
            "ours:likelihood",
            {"source": mnist.source, "recipe": "vae", "images": few, **size},
            few,
            1,
        ),
        Workload(
            NLL_BF16,
            "ours",
            "ours:likelihood",
            {"source": mnist.source, "recipe": "vae", "images": few, "precision": "bf16", **size},
            few,
            1,
        ),
        Workload(NLL_BOUND, "ours", "lower_bounds:decoding", {"images": few, **size}, few, 1),
    ]
    return {
        "embedding": bench.time_in_turns(embedding),
        "generation": bench.time_in_turns(generation),
        "likelihood": bench.time_in_turns(likelihood),
        "samples": samples,
    }


def page(record: dict[str, Any]) -> str:
    samples, rows = record["samples"], record["likelihood"]
    totals = [
        f"{name} {each * 10_000 / 1e3:,.0f} s"
        for name in (PYTHAE_NLL, NLL, NLL_BF16)
        if (each := milliseconds_per_image(rows, name)) is not None
    ]
    few = ", ".join(
        f"{row['name']} {row['images']}"
        for row in rows
        if "images" in row and row["name"] != NLL_BOUND
    )
    limit = times_faster(rows, NLL_BOUND, PYTHAE_NLL)
    return "\n".join(
        [
            "## Inference",
            "",
            "Codes of the training and validation images, with the encoder 784-512-2:",
            "",
            table(record["embedding"], EMBED, "all images once"),
            "",
            "New images from the prior, with the decoder 2-512-784:",
            "",
            table(record["generation"], GENERATE, "all images once"),
            "",
            f"ln p(x) of test images, {samples:,} importance samples each, VAE 784-512-2:",
            "",
            table(rows, NLL, "all images once"),
            "",
            f"Number of images in the measurement: {few}. All decode one image after another, so "
            f"the time for 10,000 images is, in proportion: {', '.join(totals)}."
            + (f" The lower bound is {limit:.1f} times as fast as Pythae." if limit else ""),
            "",
        ]
    )


def targets(record: dict[str, Any]) -> list[Target]:
    embedding, speed = record["embedding"], "Speed of embedding, relative to the {}".format
    nll = times_faster(record["likelihood"], NLL_BF16, PYTHAE_NLL)
    what = f"Speed of NLL, {record['samples']:,} samples, relative to Pythae's get_nll"
    what += ", decoder in bf16"
    return [
        at_least(6, speed(ITEMS), times_faster(embedding, EMBED, ITEMS), 4),
        at_least(6, speed(IN_MEMORY), times_faster(embedding, EMBED, IN_MEMORY), 4),
        at_least(6, what, nll, 10),
    ]
