"""Checkpoints: all that resuming bit for bit needs, in one checked file each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoencode.errors import RunError
from autoencode.io.store import read_tensors, sweep, write_tensors
from autoencode.models.objective import Objective
from autoencode.models.run import load_weights
from autoencode.train.adam import Adam

KEPT = 2


def save_checkpoint(
    folder: Path,
    objective: Objective,
    optimizers: Mapping[str, Adam],
    best: Mapping[str, Tensor],
    meta: Mapping[str, Any],
) -> None:
    """Writes `state-<step>.safetensors` and takes away all but the newest two.

    optimizers: by name, the model's and, where there are any, the critics'.
    best: the best weights so far, where early stopping keeps them.
    meta: JSON-able numbers of the loop; its `step` names the file.
    """
    tensors = {f"model.{name}": t for name, t in objective.state_dict().items()}
    for which, optimizer in optimizers.items():
        tensors |= {f"{which}.{name}": t for name, t in optimizer.tensors().items()}
    tensors |= {f"best.{name}": t for name, t in best.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    write_tensors(folder / f"state-{meta['step']:09d}.safetensors", tensors, meta)
    for old in checkpoints(folder)[KEPT:]:
        with suppress(OSError):
            old.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, newest first."""
    return sorted(folder.glob("state-*.safetensors"), reverse=True)


def restore_checkpoint(
    folder: Path, objective: Objective, optimizers: Mapping[str, Adam]
) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Puts the newest whole checkpoint into the model, the optimisers and torch's random state.

    Returns the loop's numbers, the best weights so far, and a sentence for each newer file that
    was damaged and passed over.

    Raises:
        RunError: there is no whole checkpoint.
    """
    sweep(folder)
    passed_over: list[str] = []
    for path in checkpoints(folder):
        try:
            tensors, meta = read_tensors(path)
        except RunError as error:
            passed_over.append(str(error.what))
            continue
        load_weights(objective, _under("model.", tensors), path)
        for which, optimizer in optimizers.items():
            optimizer.restore(_under(f"{which}.", tensors))
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["rng.cuda"])
        return meta, _under("best.", tensors), passed_over
    raise RunError(
        f"{folder} holds no whole checkpoint to continue from"
        + (f" ({'; '.join(passed_over)})" if passed_over else ""),
        "Train again.",
    )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
