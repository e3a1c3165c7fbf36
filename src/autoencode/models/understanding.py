"""What was found out about a user's module: how it encodes and decodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.models.module_calls import SPREADS, ConstantNoise, Reading, named_outputs

# What `forward` may apply to the output of the decoder.
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "": lambda y: y,
    "a sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "a clamp to [0, 1]": lambda y: y.clamp(0, 1),
    "ReLU": torch.relu,
}


@dataclass(frozen=True)
class Understanding:
    """How a module encodes and decodes.

    name: of its class.
    x, z: shapes of one example, as it is drawn, and of one code.
    layout: shape of one example as the module receives it.
    encode, decode: names of the attributes that are called; "forward" for codes that it returns.
    reading: where the code is in the output of `encode`.
    output: position of the images in the output of `decode`; None for the output itself.
    spread: how the posterior's σ is found: a key of `SPREADS`, "noise", or "" without a posterior.
    noise: "none"; "replaced" where normal noise is replaced by its mean; "seeded" for codes that
        are random in another way.
    activation: a key of `ACTIVATIONS`: what `forward` applies to the output of `decode`.
    forward: what `forward` returns, in words.
    low, high: the values of the images.
    notices: sentences on what may be wrong.
    """

    name: str
    x: tuple[int, ...]
    z: tuple[int, ...]
    layout: tuple[int, ...]
    encode: str
    decode: str
    reading: Reading
    output: int | str | None = None
    spread: str = ""
    noise: str = "none"
    activation: str = ""
    forward: str = ""
    low: float = 0.0
    high: float = 1.0
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        codes = f"codes {[*self.z]} from {self.encode}"
        if self.spread == "noise":
            codes += " (which samples: mean and σ found with its noise set to 0 and 1)"
        elif self.spread:
            codes += f" (mean and {self.spread})"
        elif self.noise == "replaced":
            codes += " (which samples: its noise is set to 0)"
        elif self.noise == "seeded":
            codes += " (which are random: a fixed seed is used)"
        what = "images" if len(self.x) > 1 else "examples"
        images = f"{what} {[*self.x]} from {self.decode}"
        if self.activation:
            images += f", to which forward applies {self.activation}"
        said = f"{self.name}: {codes}, {images}, values {self.low:.2f} to {self.high:.2f}"
        if self.forward:
            said += f"; forward gives {self.forward}"
        if self.spread:
            said += "; prior: standard normal, assumed"
        return " ".join([f"{said}.", *self.notices])

    def encoded(self, module: nn.Module, x: Tensor, k: float = 0.0) -> tuple[Tensor, Tensor | None]:
        """The code [B, *Z] of examples [B, *X], and what gives σ; `k` as of `ConstantNoise`."""
        with ConstantNoise(k):
            return self.reading(getattr(module, self.encode)(x.reshape(-1, *self.layout)))

    def decoded(self, module: nn.Module, z: Tensor) -> Tensor:
        """The images [B, *X] of codes [B, *Z]."""
        with ConstantNoise(0):
            y = getattr(module, self.decode)(z)
        if self.output is not None:
            y = named_outputs(y)[self.output]
        images: Tensor = ACTIVATIONS[self.activation](y).reshape(-1, *self.x)
        return images

    def log_variance(self, module: nn.Module, x: Tensor, z: Tensor, spread: Any) -> Tensor:
        """ln σ² of the posterior of examples [B, *X] with codes z."""
        if self.spread == "noise":
            spread = (self.encoded(module, x, 1.0)[0] - z).abs()
        name = "standard deviation" if self.spread == "noise" else self.spread
        return SPREADS[name](spread).reshape(z.shape)
