"""Why a user's module cannot be used as an autoencoder, and what to change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from autoencode.errors import AutoencodeError

HALVES = {"encoder": ("encode(self, x)", "from x to the code"), "decoder": ("decode(self, z)", "")}


def without_weights(module: nn.Module) -> AutoencodeError:
    """The module has no parameters."""
    return AutoencodeError(
        f"{_name(module)} has no parameters, so that its device and precision are not known",
        "Make its weights parameters: nn.Parameter(weights, requires_grad=False).",
    )


def uninitialised(module: nn.Module) -> AutoencodeError:
    """The module has lazy layers that have not been called."""
    return AutoencodeError(
        f"{_name(module)} has lazy layers without weights, as before a first call",
        "Call it once on a batch, module(x), or load its weights: module.load_state_dict(weights).",
    )


def no_halves(module: nn.Module, half: str) -> AutoencodeError:
    """The module has no encoder or no decoder."""
    children = [name for name, _ in module.named_children()]
    if isinstance(module, nn.Sequential) and len(children) > 1:
        fix = (
            "Name its halves: module.encoder, module.decoder = module[:k], module[k:], where k is "
            "the number of layers up to the code."
        )
    elif children:
        fix = (
            f"Name it: module.{half} = module.{children[0 if half == 'encoder' else -1]}, or "
            f"write a method {HALVES[half][0]}."
        )
    else:
        fix = f"Set self.{half} in __init__, or write a method {HALVES[half][0]}."
    return AutoencodeError(f"{_name(module)} has no {half} and no method {half[:-1]}", fix)


def forward_fails(module: nn.Module, error: Exception) -> AutoencodeError:
    """`forward` raises an error, and encoder and decoder do not."""
    return AutoencodeError(
        f"forward of {_name(module)} fails: {_reason(error)}",
        "Let forward take a batch of examples alone; what else it needs can have a default.",
    )


def cannot_encode(
    module: nn.Module,
    errors: Sequence[tuple[str, tuple[int, ...], Exception]],
    shape: tuple[int, ...],
) -> AutoencodeError:
    """No encoder takes examples of this shape; `errors` has a name, a shape and an error each."""
    name = errors[0][0]
    half = module if name == "forward" else getattr(module, name)
    half = half if isinstance(half, nn.Module) else module
    # The error of the shape that fits the first layer says most.
    wanted = 3 if isinstance(_first_layer(half), nn.Conv2d) else 1
    alike = [error for each, layout, error in errors if each == name and len(layout) == wanted]
    return AutoencodeError(
        f"{name} of {_name(module)} fails for examples of shape {shape}: "
        f"{_reason((alike or [errors[0][2]])[0])}",
        _fitting(half, shape),
    )


def no_codes(module: nn.Module, name: str) -> AutoencodeError:
    """The output of the encoder holds no codes."""
    return AutoencodeError(
        f"{name} of {_name(module)} gives no tensor with a code for each example",
        "Let it return the codes, (N, d), or the mean and the log-variance of the posterior.",
    )


def cannot_decode(module: nn.Module, name: str, z: Any, error: Exception | None) -> AutoencodeError:
    """No decoder takes the codes of the encoder."""
    if isinstance(module, torch.jit.ScriptModule):
        fix = "Give the module that was traced, or script it: torch.jit.script(module)."
    else:
        fix = (
            "Write what forward does between encoder and decoder as methods: encode(self, x), "
            "which returns the codes, and decode(self, z), which needs the codes alone."
        )
    reason = "it gives no batch of examples" if error is None else _reason(error)
    return AutoencodeError(f"{name} of {_name(module)} fails for codes of shape {z}: {reason}", fix)


def other_size(
    module: nn.Module, name: str, found: tuple[int, ...], wanted: tuple[int, ...]
) -> AutoencodeError:
    """Images have another size than the examples."""
    what = f"{name} of {_name(module)} gives examples of shape {found}, and the data have {wanted}"
    size = wanted[-2:]
    if len(found) == 3 and len(wanted) > 1 and found[0] == (wanted[0] if len(wanted) == 3 else 1):
        return AutoencodeError(
            what,
            f"Resize them: module.{name} = nn.Sequential(module.{name}, nn.Upsample(size={size}))."
            if isinstance(getattr(module, name), nn.Module)
            else f"Resize them in {name}: nn.functional.interpolate(images, {size}).",
        )
    return AutoencodeError(
        what, f"Let {name} give {math.prod(wanted):,} values for each example, {wanted}."
    )


def not_finite(module: nn.Module, name: str) -> AutoencodeError:
    """Outputs are NaN or infinite."""
    return AutoencodeError(
        f"{name} of {_name(module)} gives NaN or infinity for these examples",
        "Load weights of before the training diverged, or train again with a smaller step size.",
    )


def no_module(model: Any) -> AutoencodeError:
    """A model is no module at all."""
    if isinstance(model, type):
        return AutoencodeError(
            f"{model.__name__} is a class, and a model is needed",
            f"Create one and load its weights: {model.__name__}().",
        )
    if isinstance(model, str):
        return AutoencodeError(
            f'"{model}" is a text, and a model is needed', f'Load it: ae.load("{model}").'
        )
    return AutoencodeError(
        f"A {type(model).__name__} is no model", "Give an nn.Module with an encoder and a decoder."
    )


def _fitting(half: nn.Module, shape: tuple[int, ...]) -> str:
    """How examples get the shape that the first layer takes."""
    image = (1, *shape) if len(shape) == 2 else shape
    first = _first_layer(half)
    if isinstance(first, nn.Linear) and len(image) == 3:
        side = math.isqrt(first.in_features // image[0])
        if side**2 * image[0] == first.in_features:
            return (
                f"Its first layer takes {first.in_features:,} values. Give images of that size: "
                f"nn.functional.interpolate(x.reshape(-1, {_words(image)}), ({side}, {side})), or "
                f"load_data(source, size=({side}, {side}))."
            )
    if isinstance(first, nn.Linear):
        return (
            f"Its first layer takes {first.in_features:,} values, and an example has "
            f"{math.prod(shape):,}: give data of that size, or change the layer."
        )
    if isinstance(first, nn.Conv2d) and len(image) == 3 and first.in_channels != image[0]:
        to = (
            f"x.reshape(-1, {_words(image)}).mean(1)"
            if first.in_channels == 1
            else f"x.reshape(-1, {_words(image)}).mean(1, keepdim=True)"
            f".expand(-1, {first.in_channels}, -1, -1)"
        )
        return f"Its first layer takes {first.in_channels} channels. Give as many: {to}."
    return "Give examples of the shape that it takes."


def _first_layer(half: nn.Module) -> nn.Linear | nn.Conv2d | None:
    return next((m for m in half.modules() if isinstance(m, nn.Linear | nn.Conv2d)), None)


def _name(module: nn.Module) -> str:
    return type(module).__name__


def _reason(error: Exception) -> str:
    """The first line of an error, with its type."""
    text = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {text}"


def _words(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
