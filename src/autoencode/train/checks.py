"""What cannot be trained, or not as it was asked for."""

from __future__ import annotations

import torch
from torch import nn

from autoencode.arguments import arguments_of
from autoencode.contract import Part
from autoencode.errors import RecipeError
from autoencode.models.build import batch_norms
from autoencode.models.objective import Objective
from autoencode.train.settings import Compile


def may_compile(wanted: Compile, moves: bool, device: torch.device) -> bool:
    """Whether a step may be compiled: what moves from step to step is not traced.

    Raises:
        RecipeError: it may not, and was to be.
    """
    if wanted == "on" and moves:
        raise RecipeError(
            "This training cannot be compiled: it has a critic, clipped gradients, a number "
            "that moves or a prior that is fitted on the way",
            "Leave --compile out.",
        )
    if wanted == "auto" and device.type != "cpu":
        return False  # not measured there
    return wanted != "off" and not moves


def not_compiled(error: Exception) -> RecipeError:
    """That a step was to be compiled and cannot be, as an error."""
    first_line = (str(error).splitlines() or [""])[0]
    return RecipeError(
        f"The step cannot be compiled: {type(error).__name__}: {first_line}", "Leave --compile out."
    )


def refuse_single(objective: Objective, batch_size: int) -> None:
    """Refuses batches of one where they are normalised.

    Raises:
        RecipeError: they are.
    """
    if batch_size < 2 and _has_batch_norm(objective):
        raise RecipeError(
            "Batch normalisation needs at least two images in a batch, and there is one",
            f"Use --batch-size 2 or more{_or_without_batch_norm(objective)}.",
        )


def _has_batch_norm(module: nn.Module) -> bool:
    return any(isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d) for each in module.modules())


def _or_without_batch_norm(objective: Objective) -> str:
    """The settings that leave no batch normalisation in a model; "" where some is always there."""
    parts = [module for module in objective.modules() if isinstance(module, Part)]
    if any(_has_batch_norm(p) and "norm" not in arguments_of(type(p)) for p in parts):
        return ""
    settings = " ".join(f"--set {address}=none" for address in batch_norms(objective.recipe))
    return settings and f", or {settings}"
