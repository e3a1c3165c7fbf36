"""A training as a film: the weights at some of its steps, kept in the folder of the run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from autoencode.io.store import read_tensors, write_tensors
from autoencode.models.build import Model, build
from autoencode.models.run import Run, load_weights

FOLDER = "snapshots"


def snapshot_steps(total: int, frames: int) -> list[int]:
    """The steps that make a film of about so many frames: dense at first, when most changes.

    The first is 0 and the last is `total`. Half of them lie evenly; of the others each is about as
    many times the one before. Short trainings have fewer frames than asked for.

    >>> snapshot_steps(1000, 10)
    [0, 4, 16, 63, 200, 251, 400, 600, 800, 1000]
    """
    even, growing = (frames + 1) // 2, frames // 2
    steps = {round(total * k / even) for k in range(even + 1)}
    steps |= {round(total ** (k / growing)) for k in range(1, growing)}
    return sorted(steps)


def save_snapshot(folder: Path, model: nn.Module, step: int) -> None:
    """Keeps a model's weights at a step, in half precision: they are only looked at.

    Raises:
        ResourceError: the disk is full.
    """
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    (folder / FOLDER).mkdir(exist_ok=True)
    write_tensors(folder / FOLDER / f"{step:09d}.safetensors", halves, {"step": step})


def snapshots_of(run: Run) -> dict[int, Path]:
    """The steps of a run's film, in order, and the file of each."""
    found = (run.folder / FOLDER).glob("[0-9]*.safetensors")
    return {int(path.stem): path for path in sorted(found) if path.stem.isdecimal()}


def load_snapshot(run: Run, path: Path) -> Model:
    """The model at one step of its training, on the CPU and in evaluation mode.

    Raises:
        RunError: the file is damaged, or of another model.
    """
    model = build(run.recipe, run.sizes, seed=0)
    tensors, _ = read_tensors(path)
    wide = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor
        for name, tensor in tensors.items()
    }
    load_weights(model, wide, path)
    return model.eval()
