"""Checkpoints: all that resuming bit for bit needs, in one checked file each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from autoencode.errors import RunError
from autoencode.io.store import read_tensors, write_tensors
from autoencode.models.run import load_weights
from autoencode.train.state import TrainState

# Checkpoints that a run keeps: the newest, and one before it in case the newest is damaged.
MAX_CHECKPOINTS = 2


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Writes `state-<step>.safetensors` and deletes all but the newest two.

    It holds weights and buffers, the state of the optimisers, the best weights so far, torch's
    random state, and the counters of the training.

    Raises:
        ResourceError: the disk is full.
    """
    tensors = {f"model.{name}": t for name, t in state.objective.state_dict().items()}
    for which, optimizer in state.optimizers.items():
        tensors |= {f"{which}.{name}": t for name, t in optimizer.tensors().items()}
    tensors |= {f"best.{name}": t for name, t in state.best_weights.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    counters = {
        "step": state.step,
        "first_loss": state.first_loss,
        "seconds": state.seconds,
        "computing_seconds": state.computing_seconds,
        "best_loss": state.best_loss if math.isfinite(state.best_loss) else None,
        "validations_without_improvement": state.validations_without_improvement,
    }
    write_tensors(folder / f"state-{state.step:09d}.safetensors", tensors, counters)
    for old in checkpoints(folder)[MAX_CHECKPOINTS:]:
        with suppress(OSError):
            old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, newest first."""
    return sorted(folder.glob("state-*.safetensors"), reverse=True)


def restore_checkpoint(folder: Path, state: TrainState) -> list[str]:
    """Restores the newest undamaged checkpoint, torch's random state included.

    Returns a sentence for each newer file that is damaged.

    Raises:
        RunError: there is no undamaged checkpoint.
    """
    damaged: list[str] = []
    for path in checkpoints(folder):
        try:
            tensors, counters = read_tensors(path)
        except RunError as error:
            damaged.append(str(error.what))
            continue
        load_weights(state.objective, _with_prefix("model.", tensors), path)
        for which, optimizer in state.optimizers.items():
            optimizer.restore(_with_prefix(f"{which}.", tensors))
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["rng.cuda"])
        state.best_weights = _with_prefix("best.", tensors)
        best_loss = counters.pop("best_loss")
        state.best_loss = math.inf if best_loss is None else best_loss
        for name, value in counters.items():
            setattr(state, name, value)
        return damaged
    raise RunError(
        f"{folder} holds no complete checkpoint to continue from"
        + (f" ({'; '.join(damaged)})" if damaged else ""),
        "Train again.",
    )


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
