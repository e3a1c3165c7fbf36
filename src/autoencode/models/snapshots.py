"""Snapshots: the weights at several steps of a training, saved in the run folder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from autoencode.io.folders import open_folder
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.build import Model
from autoencode.models.run import Run, model_with

FOLDER = "snapshots"


def snapshot_steps(total: int, count: int) -> list[int]:
    """The steps of about `count` snapshots, denser at the start, when weights change most.

    The first is 0 and the last is `total`. Half of them are equally spaced, the others spaced
    geometrically. Short trainings have fewer snapshots.

    >>> snapshot_steps(1000, 10)
    [0, 4, 16, 63, 200, 251, 400, 600, 800, 1000]
    """
    even, growing = (count + 1) // 2, count // 2
    steps = {round(total * k / even) for k in range(even + 1)}
    steps |= {round(total ** (k / growing)) for k in range(1, growing)}
    return sorted(steps)


def save_snapshot(folder: Path, model: nn.Module, step: int) -> None:
    """Saves a model's weights at a step, in half precision.

    Raises:
        ResourceError: the disk is full.   RunError: the folder cannot be written to.
    """
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    write_tensors(open_folder(folder, FOLDER) / f"{step:09d}.safetensors", halves, {"step": step})


def snapshots_of(run: Run) -> dict[int, Path]:
    """The snapshots of a run: step -> file, in order."""
    found = (run.folder / FOLDER).glob("[0-9]*.safetensors")
    return {int(path.stem): path for path in sorted(found) if path.stem.isdecimal()}


def load_snapshot(run: Run, path: Path) -> Model:
    """The model of a snapshot, on the CPU and in evaluation mode.

    Raises:
        RunError: the file is damaged or belongs to another model.
    """
    tensors, _ = read_tensors(path)
    wide = {
        name: tensor.float() if tensor.dtype == torch.float16 else tensor
        for name, tensor in tensors.items()
    }
    return model_with(run.recipe, run.sizes, wide, path).eval()
