"""Training speed beside the loops that people write: `make bench`.

Every contender trains the course's net, 784-512-2-512-784, on the same MNIST images in batches of
200. They take turns in one process, a block of steps each, round after round, so that a machine
that speeds up or slows down does so for all; quoted are medians over the rounds and ratios of
medians. Data loading and the first block of each are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from autoencode.cli.process import prepare

prepare()  # as the command does, before torch is loaded

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

from autoencode.contract import Sizes  # noqa: E402
from autoencode.data import Data, load_data  # noqa: E402
from autoencode.models.build import build, parameter_count, sizes_for  # noqa: E402
from autoencode.models.recipes import RECIPES  # noqa: E402
from autoencode.train.loop import Loop  # noqa: E402
from autoencode.train.settings import Settings  # noqa: E402

BATCH = 200
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
DOCS = Path(__file__).parents[1] / "docs"


class ImageSet(Dataset):
    """One PIL image and its label an item, made a tensor by the steps of torchvision's classes.

    torchvision itself replaces torch where it is installed, so `datasets.MNIST` and
    `transforms.ToTensor` are followed step by step; they take a sixth longer than this.
    """

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
        pixels = pixels.view(image.size[1], image.size[0], 1).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255), int(self.labels[index])


def course_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Linear(512, 2),
        nn.Linear(2, 512),
        nn.ReLU(),
        nn.Linear(512, 784),
        nn.Sigmoid(),
    )


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    loss = nn.functional.mse_loss(model(x), x.flatten(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def notebook_loop(data: Data) -> Iterator[None]:
    """A Dataset of PIL images, a DataLoader, Adam."""
    model = course_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = ImageSet(data.train.x, data.train.y)
    while True:
        for x, _ in DataLoader(images, batch_size=BATCH, shuffle=True, drop_last=True):
            plain_step(model, optimizer, x)
            yield


def tensor_loop(data: Data) -> Iterator[None]:
    """All images in memory as one float tensor, Adam."""
    model = course_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = data.train.x.float() / 255
    while True:
        for rows in torch.randperm(len(x)).split(BATCH):
            plain_step(model, optimizer, x[rows])
            yield


def ours(data: Data, recipe: str, precision: str) -> Iterator[None]:
    """The training loop of `autoencode train`, without validation and checkpoints."""
    row = RECIPES[recipe]
    model = build(row, sizes_for(row, data.shape, n=len(data.train)), seed=0)
    loop = Loop(model, row, data, Settings.of(row, {"precision": precision}), None, False)
    loop.objective.train()
    while True:
        loop.update()
        loop.step += 1
        yield


def products(dtype: torch.dtype) -> Iterator[None]:
    """The matrix products of one step alone, forwards and backwards: the floor."""
    x, h = torch.rand(BATCH, 784, dtype=dtype), torch.rand(BATCH, 512, dtype=dtype)
    wide = torch.rand(784, 512, dtype=dtype)
    while True:
        x @ wide  # encoder, forwards
        x.t() @ h  # its weights' gradient
        h @ wide.t()  # decoder, forwards
        h.t() @ x  # its weights' gradient
        x @ wide  # its input's gradient
        yield


def contenders(data: Data) -> dict[str, Callable[[], Iterator[None]]]:
    return {
        "notebook loop: PIL images, DataLoader, Adam": lambda: notebook_loop(data),
        "plain loop: one tensor in memory, Adam": lambda: tensor_loop(data),
        "autoencode ae, float32": lambda: ours(data, "ae", "float32"),
        "autoencode ae, bf16": lambda: ours(data, "ae", "bf16"),
        "matrix products alone, float32": lambda: products(torch.float32),
        "matrix products alone, bf16": lambda: products(torch.bfloat16),
        "autoencode vae, bf16": lambda: ours(data, "vae", "bf16"),
        "autoencode conv-ae, float32": lambda: ours(data, "conv-ae", "float32"),
        "autoencode conv-ae, bf16": lambda: ours(data, "conv-ae", "bf16"),
    }


def measure(data: Data, rounds: int, block: int) -> dict[str, list[float]]:
    """Milliseconds a step, a number for each round, by contender."""
    steps = {name: make() for name, make in contenders(data).items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            next(step)
            began = time.perf_counter()
            for _ in range(block):
                next(step)
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - began) / block * 1e3)
    return times


def table(times: dict[str, list[float]], about: str) -> str:
    base = statistics.median(times["notebook loop: PIL images, DataLoader, Adam"])
    lines = [
        "| training step of 200 images | ms, median | min to max | images/s | × notebook loop |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, each in times.items():
        median = statistics.median(each)
        lines.append(
            f"| {name} | {median:.2f} | {min(each):.2f} to {max(each):.2f} "
            f"| {BATCH / median * 1e3:,.0f} | {base / median:.2f} |"
        )
    return "\n".join([about, "", *lines])


def hardware() -> str:
    model = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    has = ", ".join(k for k, v in torch.cpu.get_capabilities().items() if v is True and "bf16" in k)
    return (
        f"{model}, {torch.get_num_threads()} threads, bf16 in hardware: {has or 'no'}; "
        f"torch {torch.__version__}, Python {platform.python_version()}, "
        + ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in WAITING)
    )


def main() -> None:
    """Measures, prints, and writes docs/benchmarks.json and docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count")
    parser.add_argument("--block", type=int, default=60, help="steps of each in a round")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for the figures")
    options = parser.parse_args()
    data = load_data("mnist")
    times = measure(data, options.rounds, options.block)
    counts = {
        name: parameter_count(build(RECIPES[name], Sizes(data.shape, (2,)), seed=0))
        for name in ("ae", "vae", "conv-ae")
    }
    about = (
        f"{hardware()}. Median of {options.rounds} rounds of {options.block} steps each, "
        f"interleaved in one run. Parameters: "
        + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + "."
    )
    text = table(times, about)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    record = {"about": about, "milliseconds_per_step": times}
    (options.out / "benchmarks.json").write_text(json.dumps(record, indent=2) + "\n")
    (options.out / "benchmarks.md").write_text(
        f"# Speed of training\n\nMade by `make bench`.\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
