"""Training convolutional networks."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, Candidate, Images
from speed.figures import Claim, at_least, milliseconds, table, times_faster
from speed.process import Failed

PLAIN = "the same network in a plain loop: one tensor in memory, Adam"
FLOAT32, BF16 = "autoencode conv-ae, float32", "autoencode conv-ae, bf16"
PYTHAE = "Pythae AE, its own convolutional network for MNIST"
SHAPES = {"grey": (1, 28, 28), "colour": (3, 64, 64)}
LATENT = 2


def floor(dtype: str, layout: str) -> str:
    """The name of a floor."""
    return f"convolutions and matrix products alone, {dtype}, {layout}"


def contenders(
    bench: Bench, images: Images, shape: tuple[int, ...], block: int | None = None
) -> list[Candidate]:
    """The network in the plain loop, in ours, and its floors."""
    by_hand = {"folder": images.folder, "latent": LATENT}
    ours = {
        "source": images.source,
        "recipe": "conv-ae",
        "latent": LATENT,
        "steps": bench.pace.training,
    }
    floors = [
        Candidate(
            floor({"float32": "float32", "bfloat16": "bf16"}[dtype], layout),
            "ours",
            "floor:convolutions",
            {"shape": shape, "latent": LATENT, "dtype": dtype, "layout": layout},
            block=block,
        )
        for dtype in ("float32", "bfloat16")
        for layout in ("contiguous", "channels last")
    ]
    return [
        Candidate(PLAIN, "plain", "plain:conv", by_hand, block=block),
        Candidate(FLOAT32, "ours", "ours:training", {**ours, "precision": "float32"}, block=block),
        Candidate(BF16, "ours", "ours:training", {**ours, "precision": "bf16"}, block=block),
        *floors,
    ]


def measure(bench: Bench) -> dict[str, Any]:
    grey = contenders(bench, bench.mnist, SHAPES["grey"])
    by_them = {"folder": bench.mnist.folder, "latent": LATENT}
    grey.append(Candidate(PYTHAE, "peers", "with_pythae:conv", by_them, block=1))
    made = bench.made(SHAPES["colour"], bench.pace.of(2_500, 600))
    colour = contenders(bench, made, SHAPES["colour"], block=10)
    record: dict[str, Any] = {"grey": bench.race(grey), "colour": bench.race(colour)}
    record["parameters"] = {
        name: bench.parameters("conv-ae", shape, LATENT) for name, shape in SHAPES.items()
    }
    return {**record, "errors": _errors(bench, record["grey"])}


def _errors(bench: Bench, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Test errors of ours and of Pythae's after as many seconds of training."""
    seconds = bench.pace.of(30, 1)
    step = milliseconds(rows, BF16)
    assert step is not None
    steps = bench.pace.of(max(1, int(seconds * 1e3 / step)), 4)
    found = {
        BF16: bench.call(
            "ours",
            "ours:trained",
            source=bench.mnist.source,
            recipe="conv-ae",
            latent=LATENT,
            settings={"precision": "bf16", "steps": steps, "seed": 0},
        )
        | {"images": 10_000}
    }
    images = bench.pace.of(1_000, 50)
    args = {"folder": bench.mnist.folder, "latent": LATENT, "seconds": seconds, "images": images}
    try:
        found[PYTHAE] = bench.call("peers", "with_pythae:conv_error", **args) | {"images": images}
    except Failed as failure:
        found[PYTHAE] = {"not_measured": str(failure)}
    return found


def page(record: dict[str, Any]) -> str:
    counts = record["parameters"]
    lines = [
        "## Training: convolutional networks, batches of 200",
        "",
        f"28×28, grey (MNIST), codes of {LATENT} numbers, {counts['grey']:,} parameters:",
        "",
        table(record["grey"], BF16),
        "",
        f"64×64, colour (noise from a seed), {counts['colour']:,} parameters:",
        "",
        table(record["colour"], BF16),
        "",
        "What as many seconds of training give, start-up excluded, squared error summed over the "
        "pixels of test images:",
        "",
        "| | parameters | steps | seconds | test error | images |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, each in record["errors"].items():
        lines.append(
            f"| {name} | not measured: {each['not_measured']} | | | | |"
            if "not_measured" in each
            else f"| {name} | {each['parameters']:,} | {each['steps']:,} | {each['seconds']:.0f} "
            f"| {each['error']:.1f} | {each['images']:,} |"
        )
    return "\n".join([*lines, ""])


def claims(record: dict[str, Any]) -> list[Claim]:
    rows, errors = record["grey"], record["errors"]
    ratio = times_faster(rows, BF16, PYTHAE)
    theirs, ours = errors[PYTHAE], errors[BF16]
    seen = "not measured"
    if ratio is not None and "error" in theirs:
        seen = (
            f"{ratio:.0f} times; {ours['parameters']:,} parameters, error {ours['error']:.1f} "
            f"after {ours['seconds']:.0f} s, against {theirs['parameters']:,} and "
            f"{theirs['error']:.1f} after {theirs['seconds']:.0f} s"
        )
    what = "Conv 28×28: times the same network in the plain loop"
    return [
        at_least(3, what, times_faster(rows, BF16, PLAIN), 2),
        Claim(
            3, "Conv 28×28: times Pythae's network", "stated", seen, None if ratio is None else True
        ),
    ]
