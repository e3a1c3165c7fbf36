"""Training of convolutional networks."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench, ImagesOnDisk, Workload
from speed.figures import Target, at_least, milliseconds, table, times_faster
from speed.process import WorkloadError

PLAIN = "the same network in a plain loop: one tensor in memory, Adam"
FLOAT32, BF16 = "autoencode conv-ae, float32", "autoencode conv-ae, bf16"
PYTHAE = "Pythae AE, its own convolutional network for MNIST"
SHAPES = {"grey": (1, 28, 28), "small colour": (3, 32, 32), "colour": (3, 64, 64)}
LATENT = 2


def lower_bound(dtype: str, layout: str) -> str:
    """The name of the row of a lower bound."""
    return f"convolutions and matrix products only, {dtype}, {layout}"


def workloads(
    bench: Bench, images: ImagesOnDisk, shape: tuple[int, ...], block: int | None = None
) -> list[Workload]:
    """The network in a plain loop and in this package, and lower bounds of its time."""
    plain = {"folder": images.folder, "latent": LATENT}
    ours = {
        "source": images.source,
        "recipe": "conv-ae",
        "latent": LATENT,
        "steps": bench.size.training_steps,
    }
    lower_bounds = [
        Workload(
            lower_bound({"float32": "float32", "bfloat16": "bf16"}[dtype], layout),
            "ours",
            "lower_bounds:convolutions",
            {"shape": shape, "latent": LATENT, "dtype": dtype, "layout": layout},
            block=block,
        )
        for dtype in ("float32", "bfloat16")
        for layout in ("contiguous", "channels last")
    ]
    return [
        Workload(PLAIN, "plain", "plain:conv", plain, block=block),
        Workload(FLOAT32, "ours", "ours:training", {**ours, "precision": "float32"}, block=block),
        Workload(BF16, "ours", "ours:training", {**ours, "precision": "bf16"}, block=block),
        *lower_bounds,
    ]


def measure(bench: Bench) -> dict[str, Any]:
    grey = workloads(bench, bench.mnist, SHAPES["grey"])
    args = {"folder": bench.mnist.folder, "latent": LATENT}
    grey.append(Workload(PYTHAE, "peers", "with_pythae:conv", args, block=1))
    record: dict[str, Any] = {"grey": bench.time_in_turns(grey)}
    for name in ("small colour", "colour"):
        noise = bench.noise(SHAPES[name], bench.size.choose(2_500, 600))
        record[name] = bench.time_in_turns(workloads(bench, noise, SHAPES[name], block=10))
    record["parameters"] = {
        name: bench.parameters("conv-ae", shape, LATENT) for name, shape in SHAPES.items()
    }
    return {**record, "errors": _errors(bench, record["grey"])}


def _errors(bench: Bench, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Test errors of this package and of Pythae after the same training time."""
    seconds = bench.size.choose(30, 1)
    step = milliseconds(rows, BF16)
    assert step is not None
    steps = bench.size.choose(max(1, int(seconds * 1e3 / step)), 4)
    errors = {
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
    images = bench.size.choose(1_000, 50)
    args = {"folder": bench.mnist.folder, "latent": LATENT, "seconds": seconds, "images": images}
    try:
        errors[PYTHAE] = bench.call("peers", "with_pythae:conv_error", **args) | {"images": images}
    except WorkloadError as error:
        errors[PYTHAE] = {"not_measured": str(error)}
    return errors


def page(record: dict[str, Any]) -> str:
    counts = record["parameters"]
    colour = [
        line
        for name, side in (("small colour", "32×32"), ("colour", "64×64"))
        for line in (
            f"Colour noise, {side}, {LATENT} latent dimensions, {counts[name]:,} trainable "
            "parameters:",
            "",
            table(record[name], BF16),
            "",
        )
    ]
    lines = [
        "## Training: convolutional networks, batches of 200",
        "",
        f"MNIST, 28×28, {LATENT} latent dimensions, {counts['grey']:,} trainable parameters:",
        "",
        table(record["grey"], BF16),
        "",
        *colour,
        "Test error after a limited training time, without start-up. The test error is the squared "
        "error, summed over pixels in [0, 1], mean over test images:",
        "",
        "| | trainable parameters | steps | seconds | test error | test images |",
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


def targets(record: dict[str, Any]) -> list[Target]:
    rows, errors = record["grey"], record["errors"]
    ratio = times_faster(rows, BF16, PYTHAE)
    theirs, ours = errors[PYTHAE], errors[BF16]
    measured = "not measured"
    if ratio is not None and "error" in theirs:
        measured = (
            f"{ratio:.0f}. conv-ae: {ours['parameters']:,} parameters, test error "
            f"{ours['error']:.1f} after {ours['seconds']:.0f} s. Pythae: {theirs['parameters']:,} "
            f"parameters, {theirs['error']:.1f} after {theirs['seconds']:.0f} s"
        )
    what = "Speed of conv-ae, {}, relative to the same network in a plain loop"
    return [
        at_least(3, what.format("28×28"), times_faster(rows, BF16, PLAIN), 2),
        *(
            at_least(3, what.format(side), times_faster(record[name], BF16, PLAIN), 2.5)
            for name, side in (("small colour", "32×32"), ("colour", "64×64"))
        ),
        Target(3, "Speed of conv-ae, 28×28, relative to Pythae's network", "", measured, None),
    ]
