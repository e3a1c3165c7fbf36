"""Where half precision stops: codes and likelihoods are computed in float32 or better."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def widen(x: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 pass through."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class Float32Linear(nn.Linear):
    """A linear layer that autocast leaves in float32.

    A code is a few numbers and each counts: in bfloat16 the position 10.3 on a code plane is off
    by 0.05. Next to an image these layers are narrow, so that exactness costs nothing.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        with torch.autocast(x.device.type, enabled=False):
            return functional.linear(widen(x), self.weight, self.bias)
