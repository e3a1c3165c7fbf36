"""Sparse codes: how many directions of a synthetic dictionary are found, beside other trainers.

    .venv/bin/python benchmarks/sparse.py [--peer PYTHON] [--vectors 100000] [--steps 2400]

Each vector is a sum of k of the unit vectors of a random dictionary, with sizes from 0.5 to 1.5,
and a little noise. All models have as many units as the dictionary has directions, k active units
per vector, the same training vectors, the same number of steps of the same batch size, and the same
number of threads. A direction is found if a column of the decoder has a cosine of at least 0.9 with
it. PYTHON is the interpreter of an environment with SAELens, which is measured too then. Prints the
table; with --page, writes docs/sparse.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from torch import Tensor, nn

import autoencode as ae
from autoencode.data import Data
from machine import machine

PAGE = Path(__file__).parents[1] / "docs" / "sparse.md"
FOUND = 0.9
RECIPES = (
    "sparse-top-k",
    "sparse-batch-top-k",
    "sparse-jump-relu",
    "sparse-gated",
    "sparse-matryoshka",
)
# Learning rates of the other trainers: the default of torch's Adam and of SAELens's training of
# models of synthetic data, and in each case the one of our recipes.
LR_BY_HAND, LR_OF_SAELENS, LR_OF_OURS = 1e-3, 3e-4, 7e-3
# Trains with SAELens in its own environment. Arguments: a folder, the kind, the learning rate.
PEER = """
import json, sys, time
import numpy as np, torch
folder, kind, lr = sys.argv[1], sys.argv[2], float(sys.argv[3])
task = json.load(open(f"{folder}/task.json"))
torch.set_num_threads(task["threads"])
torch.manual_seed(task["seed"])
from sae_lens import __version__
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer
x = torch.from_numpy(np.load(f"{folder}/train.npy"))
kinds = {
    "top-k": (TopKTrainingSAE, TopKTrainingSAEConfig),
    "batch-top-k": (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig),
}
model, config = kinds[kind]
sae = model(config(d_in=x.shape[1], d_sae=task["units"], k=task["k"]))
batch, steps = task["batch"], task["steps"]

def batches():
    while True:
        for rows in torch.randperm(len(x)).split(batch):
            if len(rows) == batch:
                yield x[rows]

settings = SAETrainerConfig(
    n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False,
    total_training_samples=batch * steps, device="cpu", autocast=False, lr=lr, lr_end=lr,
    lr_scheduler_name="constant", lr_warm_up_steps=0, adam_beta1=0.9, adam_beta2=0.999,
    lr_decay_steps=0, n_restart_cycles=1, train_batch_size_samples=batch,
    dead_feature_window=1000, feature_sampling_window=2000,
    logger=LoggingConfig(log_to_wandb=False, eval_every_n_wandb_logs=2**31 - 1),
)
trainer = SAETrainer(cfg=settings, sae=sae, data_provider=batches())
cpu, wall = time.process_time(), time.perf_counter()
trainer.fit()
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
test = torch.from_numpy(np.load(f"{folder}/test.npy"))
with torch.no_grad():
    z = torch.cat([sae.encode(rows) for rows in test.split(1000)])
    y = torch.cat([sae.decode(rows) for rows in z.split(1000)])
np.savez(f"{folder}/found.npz", directions=sae.W_dec.detach().numpy(), active=(z != 0).numpy(),
         images=y.numpy())
json.dump({"cpu": cpu, "wall": wall, "version": __version__}, open(f"{folder}/found.json", "w"))
"""


@dataclass(frozen=True)
class Task:
    """What all trainers are given.

    train, test: vectors [N, D].   directions: the dictionary, [features, D], of norm 1.
    k: active directions per vector.
    """

    train: Tensor
    test: Tensor
    directions: Tensor
    k: int
    steps: int
    batch: int
    threads: int
    seed: int


@dataclass(frozen=True)
class Row:
    """A row of the table.

    found: share of the directions that are found.   dead: share of the units that are active for no
    test vector.   active: mean active units.   fvu: fraction of the variance of the test vectors
    that is unexplained.   cpu, wall: seconds of the training.
    """

    name: str
    found: float
    dead: float
    active: float
    fvu: float
    cpu: float
    wall: float


def synthetic(
    vectors: int, values: int, features: int, k: int, noise: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Vectors [vectors, values] and the dictionary [features, values].

    noise: norm of the noise, relative to that of the sum of directions.
    """
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=(features, values)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = draw.integers(features, size=(vectors, k))
    while True:
        ordered = np.sort(chosen, 1)
        again = (ordered[:, 1:] == ordered[:, :-1]).any(1)
        if not again.any():
            break
        chosen[again] = draw.integers(features, size=(int(again.sum()), k))
    sizes = torch.from_numpy(draw.uniform(0.5, 1.5, (vectors, k)).astype(np.float32))
    x = nn.functional.embedding_bag(
        torch.from_numpy(chosen), torch.from_numpy(directions), mode="sum", per_sample_weights=sizes
    )
    spread = noise * (k * (1 + 1 / 12) / values) ** 0.5
    x += spread * torch.from_numpy(draw.normal(size=x.shape).astype(np.float32))
    return x, torch.from_numpy(directions)


def figures(
    name: str,
    task: Task,
    directions: Tensor,
    active: Tensor,
    images: Tensor,
    seconds: tuple[float, float],
) -> Row:
    """The row of a trained model: its decoder's columns, and active units of the test vectors."""
    columns = nn.functional.normalize(directions.float(), dim=1)
    nearest = torch.cat([(rows @ columns.T).max(1).values for rows in task.directions.split(512)])
    spread = (task.test - task.train.mean(0)).square().sum()
    return Row(
        name,
        (nearest >= FOUND).double().mean().item(),
        (~active.any(0)).double().mean().item(),
        active.double().sum(1).mean().item(),
        ((task.test - images).square().sum() / spread).item(),
        *seconds,
    )


def timed(train: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    train()
    return time.process_time() - cpu, time.perf_counter() - wall


def ours(name: str, task: Task) -> Row:
    """A recipe of this package, with its defaults."""
    low, high = task.train.min().item(), task.train.max().item()
    low, high = min(low, task.test.min().item()), max(high, task.test.max().item())
    found: list[ae.FitResult] = []
    data: Data = ae.load_data(
        ((task.train, None), (task.test, None)), value_range=(low, high), validation=1_000
    )
    recipe = ae.RECIPES[name].but(latent=len(task.directions)).set("bottleneck.k", task.k)
    settings = {"steps": task.steps, "batch_size": task.batch, "seed": task.seed}
    settings["validate_every"] = task.steps
    seconds = timed(lambda: found.append(ae.fit(recipe, data, progress=False, **settings)))
    model = found[0].model
    codes, images = zip(*(model(rows) for rows in data.test.x.split(1_000)), strict=True)
    y = torch.cat(images) * (high - low) + low
    directions = model.decoder.network.directions.detach()
    return figures(name, task, directions, torch.cat(codes) != 0, y, seconds)


class ByHand(nn.Module):
    """A top-k autoencoder as one would write it first."""

    def __init__(self, values: int, units: int, k: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(values, units), nn.Linear(units, values)
        self.k = k

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and reconstructions."""
        h = self.encoder(x).relu()
        largest, places = h.topk(self.k)
        z = torch.zeros_like(h).scatter(1, places, largest)
        return z, self.decoder(z)


def by_hand(task: Task, lr: float) -> Row:
    """The plain loop: Adam, squared error, random batches."""
    torch.manual_seed(task.seed)
    model = ByHand(task.train.shape[1], len(task.directions), task.k)
    optimizer = torch.optim.Adam(model.parameters(), lr)

    def train() -> None:
        done = 0
        while done < task.steps:
            for rows in torch.randperm(len(task.train)).split(task.batch)[: task.steps - done]:
                x = task.train[rows]
                loss = (model(x)[1] - x).square().sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                done += 1

    seconds = timed(train)
    with torch.no_grad():
        codes, images = zip(*(model(rows) for rows in task.test.split(1_000)), strict=True)
    directions = model.decoder.weight.detach().T
    name = f"top-k by hand, learning rate {lr:g}"
    return figures(name, task, directions, torch.cat(codes) != 0, torch.cat(images), seconds)


def peer(python: str, kind: str, lr: float, task: Task, folder: Path) -> Row:
    """SAELens, in its own environment."""
    given = {"threads": task.threads, "seed": task.seed, "units": len(task.directions)}
    given |= {"k": task.k, "batch": task.batch, "steps": task.steps}
    (folder / "task.json").write_text(json.dumps(given))
    command = [python, "-c", PEER, str(folder), kind, str(lr)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": str(task.threads)})
    found, said = np.load(folder / "found.npz"), json.loads((folder / "found.json").read_text())
    directions, active, images = (
        torch.from_numpy(found[name]) for name in ("directions", "active", "images")
    )
    name = f"SAELens {said['version']}, {kind}, learning rate {lr:g}"
    return figures(name, task, directions, active, images, (said["cpu"], said["wall"]))


def rows(task: Task, names: list[str], python: str | None) -> Iterator[Row]:
    """The rows of the table, each when it is measured."""
    for name in names:
        yield ours(name, task)
    for lr in (LR_BY_HAND, LR_OF_OURS):
        yield by_hand(task, lr)
    if python is not None:
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder, "train.npy"), task.train.numpy())
            np.save(Path(folder, "test.npy"), task.test.numpy())
            for kind in ("top-k", "batch-top-k"):
                for lr in (LR_OF_SAELENS, LR_OF_OURS):
                    yield peer(python, kind, lr, task, Path(folder))


HEAD = (
    "| trainer | directions found | dead units | active | unexplained variance | CPU s | s |\n"
    "|---|---|---|---|---|---|---|"
)


def line(row: Row) -> str:
    """A row in Markdown."""
    return (
        f"| {row.name} | {row.found:.1%} | {row.dead:.1%} | {row.active:.1f} | {row.fvu:.3f} | "
        f"{row.cpu:.0f} | {row.wall:.0f} |"
    )


def page(task: Task, table: str, command: str) -> str:
    """The page with the table."""
    features, values = task.directions.shape
    return f"""# Sparse codes

`sparse-top-k`, `sparse-batch-top-k`, `sparse-jump-relu`, `sparse-gated` and `sparse-matryoshka`
write an example as a sum of a few directions out of many, for example the activations of a
network:

```text
autoencode train sparse-top-k --data activations.npy --scale standard --latent 4096
```

`evaluate` and the report give the mean number of active units, the share of units that are active
for no test example (dead units), and the fraction of the variance that is unexplained.

For vectors and tables these recipes have the network `dictionary`: directions of norm 1, an encoder
that begins as the decoder, both in units of the mean and the scale of the data. They begin at the
directions of training examples. The term `aux-k` revives dead units. With top-k codes, a unit that
stays inactive for a twentieth of the training begins anew at the error of an example that is
reconstructed badly; it never does with `--set terms.aux-k=aux-k --set terms.aux-k.restart=0`.
`bottleneck.k` is the number of active units, a fortieth of `--latent` by default: exact for top-k,
on average for the others. On images, `sparse-top-k` and `sparse-batch-top-k` normalise features
over the batch instead; `--set bottleneck.norm=batch` does so for vectors too.

## On a known dictionary

Each of {len(task.train):,} training vectors of {values:,} values is the sum of {task.k} of
{features:,} random directions of norm 1, each with a size between 0.5 and 1.5, and noise. All
models have {features:,} units of which {task.k} are active, and are trained for {task.steps:,}
steps of {task.batch} vectors, with {task.threads} thread. A direction is found if a column of the
decoder has a cosine of at least {FOUND} with it. Dead units are active for none of
{len(task.test):,} test vectors.

{table}

Recipes have their defaults. The loop by hand is a linear encoder and decoder with Adam. Both it and
SAELens have their own default learning rate, and the one of the recipes. The settings of the
recipes were chosen on dictionaries of this kind, with 128 values, which flatters them; those of the
others were not, and SAELens revives units only after 1,000 steps. This is one training of
each, on {machine()}.

To repeat: `{command}`; `--peer` is the Python of an environment with `sae-lens`.
"""


def start() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="Python of an environment with SAELens")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--page", action="store_true", help="write docs/sparse.md")
    numbers = {"vectors": 100_000, "values": 768, "features": 4_096, "k": 16}
    numbers |= {"steps": 2_400, "batch": 200, "threads": 1, "seed": 0}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--noise", type=float, default=0.05)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    tests = 10_000
    x, directions = synthetic(
        given.vectors + tests, given.values, given.features, given.k, given.noise, given.seed
    )
    task = Task(
        x[tests:],
        x[:tests],
        directions,
        given.k,
        given.steps,
        given.batch,
        given.threads,
        given.seed,
    )
    print(HEAD, flush=True)
    lines = [HEAD]
    for row in rows(task, [name for name in given.recipes.split(",") if name], given.peer):
        lines.append(line(row))
        print(lines[-1], flush=True)
    if given.page:
        options = [
            f"--{n} {getattr(given, n)}" for n, d in numbers.items() if getattr(given, n) != d
        ]
        command = " ".join(["python benchmarks/sparse.py --peer PYTHON", *options])
        PAGE.write_text(page(task, "\n".join(lines), command), encoding="utf-8")


if __name__ == "__main__":
    start()
