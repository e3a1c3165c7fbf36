"""Checks of what can be trained, and how."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from autoencode.arguments import arguments_of
from autoencode.contract import Part
from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.models.assemble import Decoder
from autoencode.models.build import Model, batch_norms, learns_labels
from autoencode.models.inference import measuring
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe
from autoencode.parts.networks.custom import is_custom
from autoencode.train.settings import Compile, Settings

# Random codes at each of three scales, on which a custom decoder is tried.
CODES = 64
NOT_COMPILED = "Leave --compile (compile=) out."


def may_compile(
    wanted: Compile, changes_between_steps: bool, device: torch.device, processes: int = 1
) -> bool:
    """Whether the step may be compiled: one whose operations change from step to step may not.

    Raises:
        RecipeError: `wanted` is "on" and the step may not be compiled.
    """
    if processes > 1:
        if wanted == "on":
            raise RecipeError(
                f"A training in {processes} processes cannot be compiled: its step contains sums "
                "over the processes",
                NOT_COMPILED,
            )
        return False
    if wanted == "on" and changes_between_steps:
        raise RecipeError(
            "This training cannot be compiled: it has a critic, clipped or accumulated gradients, "
            "a scheduled number or a prior that is fitted during training",
            NOT_COMPILED,
        )
    if wanted == "auto" and device.type not in ("cpu", "cuda"):
        return False  # whether it saves time there was not measured
    return wanted != "off" and not changes_between_steps


def not_compiled(error: Exception) -> RecipeError:
    """The error of a step that was to be compiled and cannot be."""
    first_line = (str(error).splitlines() or [""])[0]
    return RecipeError(
        f"The step cannot be compiled: {type(error).__name__}: {first_line}", NOT_COMPILED
    )


def refuse_single(objective: Objective, batch_size: int) -> None:
    """Refuses batches of one example for models with batch normalisation.

    Raises:
        RecipeError: the model has batch normalisation and the batch holds one example.
    """
    if batch_size < 2 and _has_batch_norm(objective):
        raise RecipeError(
            "Batch normalisation needs at least two images in a batch, and there is one",
            f"Use --batch-size (batch_size=) 2 or more{_or_without_batch_norm(objective)}.",
        )


def refuse_parts(settings: Settings, has_critic: bool) -> None:
    """Refuses a batch in parts where that has no meaning.

    Raises:
        RecipeError: a critic is trained on the same batch, or there are more parts than examples.
    """
    parts, batch_size = settings.accumulate, settings.batch_size
    if parts > 1 and has_critic:
        raise RecipeError(
            "Gradients cannot be accumulated for a model with a critic, which is updated by the "
            "same batch",
            "Use --batch-size (batch_size=) with fewer examples, and leave --accumulate "
            "(accumulate=) out.",
        )
    if parts > batch_size:
        raise RecipeError(
            f"A batch of {batch_size} examples cannot have {parts} parts",
            f"Use --accumulate (accumulate=) {batch_size} or less.",
        )


def refuse_freezing(settings: Settings) -> None:
    """Refuses to freeze half of a model that has random weights.

    Raises:
        RecipeError: `freeze` is given without `init`.
    """
    if settings.freeze is not None and settings.init is None:
        raise RecipeError(
            f"The {settings.freeze} would be frozen at its random initial weights",
            "Start from trained weights: --init RUN.",
        )


def warn_of_missing_classes(recipe: Recipe, data: Data) -> None:
    """Warns where a model learns from labels, and a class is not among the labelled examples."""
    y = data.train.y
    if y is None or not learns_labels(recipe):
        return
    seen = set(y[y >= 0].tolist())
    missing = [name for label, name in enumerate(data.classes) if label not in seen]
    if missing and seen:
        warnings.warn(
            f"{len(missing)} of {len(data.classes)} classes are not among the {int((y >= 0).sum())}"
            f" labelled examples, so the model cannot learn them: {', '.join(missing[:10])}"
            f"{', …' if len(missing) > 10 else ''}. Use --labelled {len(data.classes)} "
            "or more.",
            stacklevel=5,
        )


def notice_of_two_sigmoids(recipe: Recipe, model: Model) -> str | None:
    """A sentence where a custom decoder ends with a sigmoid, and the likelihood applies another.

    The decoder is called on small and large random codes: its outputs are all in [0, 1], and the
    means of the likelihood are their sigmoid.
    """
    if not is_custom(recipe.network.kind):
        return None
    generator = torch.Generator().manual_seed(0)
    decoders = [each for each in model.modules() if isinstance(each, Decoder)]
    with measuring(model) as device:
        for decoder in decoders:
            sizes = decoder.likelihood.sizes
            z = torch.randn(CODES, *sizes.z, generator=generator).to(device)
            z = torch.cat([z, 10 * z, 100 * z])
            context = z.new_zeros(len(z), sizes.context) if sizes.context else None
            outputs = decoder.network(z, context)
            if outputs.min() < 0 or outputs.max() > 1:
                continue
            again = outputs.squeeze(1).sigmoid()
            images = decoder.likelihood(outputs).mean
            if images.shape == again.shape and torch.allclose(images, again, atol=1e-5):
                return _remove_a_sigmoid(recipe, decoder)
    return None


def _remove_a_sigmoid(recipe: Recipe, decoder: Decoder) -> str:
    fix, in_python = "--set likelihood.mean=identity", '.set("likelihood.mean", "identity")'
    if "mean" not in arguments_of(type(decoder.likelihood)):
        fix = f"--set likelihood=gaussian {fix}"
        in_python = f'.set("likelihood", "gaussian"){in_python}'
    return (
        f"The decoder of {Path(recipe.network.kind.partition('.py')[0]).name}.py gives values in "
        f"[0, 1], as after a sigmoid, and the likelihood {recipe.likelihood.kind} applies a "
        "sigmoid again: images have values between 0.5 and 0.73 only. Remove the sigmoid from the "
        f"decoder, or use {fix} (recipe{in_python})."
    )


def _has_batch_norm(module: nn.Module) -> bool:
    return any(isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d) for each in module.modules())


def _or_without_batch_norm(objective: Objective) -> str:
    """The options that remove batch normalisation; "" where some cannot be removed."""
    parts = [module for module in objective.modules() if isinstance(module, Part)]
    if any(_has_batch_norm(p) and "norm" not in arguments_of(type(p)) for p in parts):
        return ""
    options = " ".join(f"--set {address}=none" for address in batch_norms(objective.recipe))
    return options and f", or {options}"
