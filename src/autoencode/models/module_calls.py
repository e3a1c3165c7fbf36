"""Calls of a module that is not this package's: it is evaluated, and left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import softplus
from torch.overrides import TorchFunctionMode

# How the second output of an encoder gives ln σ² of the posterior.
SPREADS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "log-variance": lambda s: s,
    "standard deviation": lambda s: 2 * s.abs().clamp_min(1e-20).log(),
    "log of the standard deviation": lambda s: 2 * s,
    "standard deviation before a softplus": lambda s: 2 * softplus(s).clamp_min(1e-20).log(),
    "variance": lambda s: s.abs().clamp_min(1e-30).log(),
}


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Context manager for calls in evaluation mode; afterwards the module is as before.

    Modes and attributes that a call sets, such as `self.kl`, are restored.
    """
    before = [(each, each.training, dict(vars(each))) for each in module.modules()]
    for each, _, _ in before:
        each.training = False
    exporting, validates = torch.compiler.is_exporting(), Distribution._validate_args
    if exporting:  # a graph has no checks of values
        Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        if exporting:
            Distribution.set_default_validate_args(validates)
        for each, training, attributes in before:
            for name in vars(each).keys() - attributes.keys():
                del vars(each)[name]
            vars(each).update(attributes)
            each.training = training


class ConstantNoise(TorchFunctionMode):
    """Inside this mode normal random numbers are their mean plus `k` standard deviations.

    Codes that are sampled as μ + σ ε are μ with k = 0, and μ + σ with k = 1.
    """

    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = k

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replaces the functions of torch that draw from a normal distribution."""
        given = {name: value for name, value in (kwargs or {}).items() if name != "generator"}
        if func is torch.randn:
            return torch.zeros(*args, **given) + self.k
        if func is torch.randn_like:
            return torch.zeros_like(*args, **given) + self.k
        if func is torch.normal:
            return self._normal(*args, **given)
        if func is Tensor.normal_:
            return self._filled(*args, **given)
        return func(*args, **(kwargs or {}))

    def _normal(self, mean: Any, std: Any = 1.0, size: Any = None, **options: Any) -> Tensor:
        value = mean + self.k * std
        return value if isinstance(value, Tensor) else torch.full(size, float(value), **options)

    def _filled(self, tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
        return tensor.fill_(mean + self.k * std)


@dataclass(frozen=True)
class Reading:
    """Where the code is in the output of an encoder.

    mean: position or name among several outputs; None if the output is the code alone, or holds
        mean and spread as its two halves.
    spread: position or name of what gives σ of the posterior; None without one.
    halves: the output is one tensor, whose first half is the mean.
    """

    mean: int | str | None = None
    spread: int | str | None = None
    halves: bool = False

    def __call__(self, output: Any) -> tuple[Tensor, Tensor | None]:
        """The code [B, *Z], and what gives σ."""
        if isinstance(output, Distribution):
            return output.mean, output.stddev
        if self.halves:
            mean, spread = output.chunk(2, 1)
            return mean, spread
        if self.mean is None:
            return output, None
        items = named_outputs(output)
        return items[self.mean], None if self.spread is None else items[self.spread]


def named_outputs(output: Any) -> dict[int | str, Any]:
    """Several outputs by position, or by name where they have one."""
    if isinstance(output, Mapping):
        return dict(output.items())
    if is_dataclass(output):
        return dict(vars(output).items())
    if isinstance(output, tuple | list):
        return dict(enumerate(output))
    return {0: output}


def parameter_of(module: nn.Module) -> Tensor | None:
    """A parameter, whose device and precision inputs get; None for a module without any."""
    return next((p for p in module.parameters() if p.is_floating_point()), None)
