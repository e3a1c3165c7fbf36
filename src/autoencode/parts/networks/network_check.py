"""Checks a custom network on a batch of two examples before a model is built with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError, is_out_of_memory
from autoencode.parts.networks.custom import line_of

# Name, builder, and shapes of the input and the output for one example.
Half = tuple[str, Callable[[], Any], tuple[int, ...], tuple[int, ...]]


def check_network(network: Network, sizes: Sizes, features: int, channels: int) -> None:
    """Builds the encoder and the decoder of a network and calls each on the CPU in evaluation mode.

    features: size of the encoder's output for each example.
    channels: number of outputs of the decoder for each value of an example.
    Torch's random state is not changed.

    Raises:
        RecipeError: the network raises an error, or an output has the wrong shape.
    """
    halves: tuple[Half, ...] = (
        ("encoder", lambda: network.encoder(sizes, features), sizes.x, (features,)),
        ("decoder", lambda: network.decoder(sizes, channels), sizes.z, (channels, *sizes.x)),
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad(), torch.device("cpu"):
        context = torch.zeros(2, sizes.context) if sizes.context else None
        for half in halves:
            _check_half(network, half, context)


def _check_half(network: Network, half: Half, context: Tensor | None) -> None:
    name, build, inputs, expected = half
    what = f"The {name} of {type(network).__name__}"
    module = _guarded(build, f"Building {what[0].lower()}{what[1:]}", network)
    _check_module(module, what)
    what = f"{what}, called with shape {(2, *inputs)},"
    output = _guarded(lambda: module.eval()(torch.zeros(2, *inputs), context), what, network)
    _check_output(output, (2, *expected), what)


def _check_module(module: Any, what: str) -> None:
    if not isinstance(module, nn.Module):
        raise RecipeError(
            f"{what} is a {type(module).__name__} and not a torch.nn.Module",
            "Return a torch.nn.Module.",
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise RecipeError(
            f"{what} has lazy layers, whose parameters do not exist when the optimiser is created",
            "Give every layer its size, using the shapes in `sizes`.",
        )


def _check_output(output: Any, expected: tuple[int, ...], what: str) -> None:
    if not isinstance(output, Tensor):
        raise RecipeError(
            f"{what} returns a {type(output).__name__} and not a tensor",
            f"Return a tensor of shape {expected}.",
        )
    if tuple(output.shape) != expected:
        raise RecipeError(
            f"{what} returns shape {tuple(output.shape)}, and {expected} is expected",
            f"Return (B, {', '.join(map(str, expected[1:]))}) for a batch of B.",
        )
    if not output.is_floating_point():
        raise RecipeError(f"{what} returns {output.dtype}", "Return floating-point numbers.")


def _guarded(run: Callable[[], Any], what: str, network: Network) -> Any:
    """Calls `run` and converts an exception of the user's code to a RecipeError."""
    try:
        return run()
    except RecipeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        path = vars(sys.modules[type(network).__module__]).get("__file__")
        raise RecipeError(
            f"{what} fails{line_of(error, path)}: {type(error).__name__}: {error}",
            f"Fix it in {path}." if path else "",
        ) from error
