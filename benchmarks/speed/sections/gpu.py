"""Training on a GPU, if there is one: one model, many, a convolutional one, and colour images."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Target
from speed.process import WorkloadError

LATENT, STEPS, STEPS_NOT_COMPILED = 2, 50_000, 1_000
MODELS, STEPS_OF_MANY = 64, 1_000
SHAPE, CONV_STEPS = (3, 64, 64), 1_000
COLOUR_LATENT, COLOUR_STEPS = (16, 128), 5_000
# What the parts of a record are, for the page.
WORDS = {
    "rows": "one model",
    "plain": "the plain loop",
    "conv": "convolutions",
    "plain_conv": "convolutions in plain PyTorch",
    "many": f"{MODELS} models",
    "colour": "colour images",
}


def measure(bench: Bench) -> dict[str, Any]:
    name = bench.call("ours", "gpu:name")
    if name is None and not bench.size.quick:
        return {"name": None}
    # A quick run tests this section on a CPU if there is no GPU.
    on = {"device": "cpu" if name is None else "cuda"}
    mnist = {**on, "source": bench.mnist.source, "latent": LATENT}
    choose = bench.size.choose
    modes = ("off",) if name is None else ("off", "on")
    shape = (SHAPE[0], choose(SHAPE[1], 16), choose(SHAPE[2], 16))
    noise = bench.noise(shape, choose(5_000, 600))
    conv = {**on, "steps": choose(CONV_STEPS, 2), "modes": modes}
    colour = noise.source if bench.size.quick else bench.colour
    steps = {"off": choose(STEPS_NOT_COMPILED, 2), "on": choose(STEPS, 4)}
    record: dict[str, Any] = {"name": name or "no GPU; measured on a CPU", "not_measured": {}}

    def add(part: str, environment: str, function: str, **args: Any) -> None:
        """Measures one part, and prints it: a run that is cut short or fails is not in vain."""
        try:
            record[part] = bench.call(environment, f"gpu:{function}", **args)
            print(f"{part}: {record[part]}", flush=True)
        except WorkloadError as error:
            record["not_measured"][part] = str(error)
            print(f"{part}: not measured: {error}", flush=True)

    add("rows", "ours", "trained", **mnist, steps={mode: steps[mode] for mode in modes})
    add("plain", "plain", "plain", **mnist, steps=choose(2_000, 2))
    add("conv", "ours", "conv", **conv, source=noise.source)
    add("plain_conv", "plain", "plain_conv", **conv, shape=shape)
    counts = {"models": choose(MODELS, 2), "steps": choose(STEPS_OF_MANY, 2)}
    add("many", "ours", "many", **mnist, **counts, mode=modes[-1])
    if colour is None:
        record["not_measured"]["colour"] = "--colour was not given"
    else:
        images = {**on, "source": colour, "steps": choose(COLOUR_STEPS, 2)}
        add("colour", "ours", "colour", **images, latents=COLOUR_LATENT)
    return record


def page(record: dict[str, Any]) -> str:
    if record["name"] is None:
        return "## On a GPU\n\nNo GPU has been measured; `python benchmarks/gpu.py` measures one.\n"
    lines = ["## On a GPU", "", f"{record['name']}.", ""]
    for part, written in {
        "rows": _one_model,
        "plain": _plain_loop,
        "many": _many_models,
        "conv": _convolutions,
        "colour": _colour,
    }.items():
        if part in record:
            lines += written(record)
    for part, reason in record["not_measured"].items():
        lines += [f"Not measured: {WORDS[part]} ({reason}).", ""]
    return "\n".join(lines)


def _one_model(record: dict[str, Any]) -> list[str]:
    return [
        f"The network 784-512-{LATENT}-512-784, batches of 200, one training:",
        "",
        "| `--compile` | steps | s, total | s, compiling | µs per step | squared error |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {row['compile']} | {row['steps']:,} | {row['seconds']:.1f} "
            f"| {row['compiling']:.1f} "
            f"| {1e6 * (row['seconds'] - row['compiling']) / row['steps']:,.0f} "
            f"| {row['error']:.2f} |"
            for row in record["rows"]
        ),
        "",
    ]


def _plain_loop(record: dict[str, Any]) -> list[str]:
    return [
        f"A plain loop over a tensor on the device takes {1e6 * record['plain']:,.0f} µs per step, "
        f"{record['plain'] * STEPS:,.0f} s for {STEPS:,} steps.",
        "",
    ]


def _many_models(record: dict[str, Any]) -> list[str]:
    many = record["many"]
    return [
        f"{many['models']} models of this network, one after another by `fit_many`, take "
        f"{many['seconds']:.1f} s for {many['steps']:,} steps each, {many['compiling']:.1f} s of "
        "them for tracing and compiling: all have the program of the first.",
        "",
    ]


def _convolutions(record: dict[str, Any]) -> list[str]:
    plain = record.get("plain_conv", {})
    return [
        f"Convolutions, {SHAPE[1]}×{SHAPE[2]} in colour, batches of 200, bf16:",
        "",
        "| | ms per step |",
        "|---|---:|",
        *(
            f"| {name} | {1e3 * seconds:.2f} |"
            for name, seconds in {**record["conv"], **plain}.items()
        ),
        "",
    ]


def _colour(record: dict[str, Any]) -> list[str]:
    return [
        "Squared error of `conv-ae` on the test part of colour images, default settings:",
        "",
        "| d | steps | s | error | PCA |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {row['latent']} | {row['steps']:,} | {row['seconds']:.0f} | {row['error']:.2f} "
            f"| {row['pca']:.2f} |"
            for row in record["colour"]
        ),
        "",
    ]


def targets(record: dict[str, Any]) -> list[Target]:
    return []
