"""Where half precision stops: codes and likelihoods are computed in float32 or better."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def widen(x: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 pass through."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


# Features of a code for which a matrix library's products of thin matrices are slow.
NARROW = 16


class Float32Linear(nn.Linear):
    """A linear layer that autocast leaves in float32.

    A code is a few numbers and each counts: in bfloat16 the position 10.3 on a code plane is off
    by 0.05. Next to an image these layers are narrow, so that exactness costs nothing.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        with torch.autocast(x.device.type, enabled=False):
            x = widen(x)
            if self.in_features <= NARROW and x.dim() == 2 and torch.is_grad_enabled():
                # The same product, laid out so that its gradients are quick: they take half of the
                # time of the large layers beside it otherwise.
                turned = self.weight.t().contiguous()
                return x @ turned if self.bias is None else torch.addmm(self.bias, x, turned)
            return functional.linear(x, self.weight, self.bias)
