"""A trial of a network on two examples, before anything is built on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError, is_out_of_memory
from autoencode.parts.networks.custom import place

# Its name, what builds it, and the shapes of what one example gives it and takes from it.
Half = tuple[str, Callable[[], Any], tuple[int, ...], tuple[int, ...]]


def check_network(network: Network, sizes: Sizes, features: int, channels: int) -> None:
    """Builds a network's two halves and tries each, on the processor and in evaluation mode.

    features, channels: what the bottleneck and the likelihood ask of it for each example and for
    each number of an example.  Torch's random state is left as it was.

    Raises:
        RecipeError: it fails, or gives another shape than it was asked for.
    """
    halves: tuple[Half, ...] = (
        ("encoder", lambda: network.encoder(sizes, features), sizes.x, (features,)),
        ("decoder", lambda: network.decoder(sizes, channels), sizes.z, (channels, *sizes.x)),
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad(), torch.device("cpu"):
        context = torch.zeros(2, sizes.context) if sizes.context else None
        for half in halves:
            _try(network, half, context)


def _try(network: Network, half: Half, context: Tensor | None) -> None:
    name, make, given, expected = half
    what = f"The {name} of {type(network).__name__}"
    module = _guarded(make, f"{what}, being built,", network)
    _check_module(module, what)
    what = f"{what}, given {(2, *given)},"
    came = _guarded(lambda: module.eval()(torch.zeros(2, *given), context), what, network)
    _check_shape(came, (2, *expected), what)


def _check_module(module: Any, what: str) -> None:
    if not isinstance(module, nn.Module):
        raise RecipeError(
            f"{what} is a {type(module).__name__} and no module of torch",
            "Return a torch.nn.Module.",
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise RecipeError(
            f"{what} has lazy layers, whose parameters the optimiser could not find",
            "Give every layer its size; `sizes` has those of the data.",
        )


def _check_shape(came: Any, expected: tuple[int, ...], what: str) -> None:
    if not isinstance(came, Tensor):
        raise RecipeError(
            f"{what} gives a {type(came).__name__} and no tensor",
            f"Return a tensor of shape {expected}.",
        )
    if tuple(came.shape) != expected:
        raise RecipeError(
            f"{what} gives {tuple(came.shape)}, and {expected} is expected",
            f"Return (B, {', '.join(map(str, expected[1:]))}) for a batch of B.",
        )
    if not came.is_floating_point():
        raise RecipeError(f"{what} gives {came.dtype}", "Return floating-point numbers.")


def _guarded(run: Callable[[], Any], what: str, network: Network) -> Any:
    """What `run` gives; an error of the user's own code becomes a sentence."""
    try:
        return run()
    except RecipeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        path = vars(sys.modules[type(network).__module__]).get("__file__")
        raise RecipeError(
            f"{what} fails{place(error, path)}: {type(error).__name__}: {error}",
            f"Mend it in {path}." if path else "",
        ) from error
