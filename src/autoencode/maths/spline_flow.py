"""Neural spline flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution


class SplineFlow(nn.Module):
    """Neural spline flow p(z|c): a standard normal, transformed by autoregressive splines.

    The rational-quadratic splines act inside [−5, 5]ᵈ and are the identity outside. The density
    takes one pass per transform, a sample d passes.  Source: [durkan2019].
    """

    def __init__(
        self, d: int, context: int, transforms: int, hidden: Sequence[int], bins: int
    ) -> None:
        """Codes [d]; c [B, context] where `context` is not 0; `hidden` widths of each network."""
        # Imported here, because only models with a flow need it.
        import zuko  # type: ignore[import-untyped]

        super().__init__()
        self.context = context
        where = torch.empty(()).device
        # zuko computes masks, which is not possible on the device "meta". Models on that device are
        # built to count parameters only, so they must not change the random state.
        with torch.device("cpu"), torch.random.fork_rng(devices=[], enabled=where.type == "meta"):
            self.flow = zuko.flows.NSF(
                d, context, bins=bins, transforms=transforms, hidden_features=list(hidden)
            )
        self.flow.to(where)

    def forward(self, context: Tensor | None = None) -> FlowDistribution:
        """Features [B, context] to p(z|c), batch [B], event [d].

        Without a context there is no batch. No features in a conditional flow count as all 0.
        """
        weight = next(self.flow.parameters())
        if not self.context:
            context = None
        elif context is None:
            context = weight.new_zeros(self.context)
        with torch.autocast(weight.device.type, enabled=False):
            return FlowDistribution(self.flow(context))


class FlowDistribution(Distribution):
    """The distribution of a flow, computed in the precision of its weights even under autocast."""

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, inner: Any) -> None:
        """`inner` is the distribution that a zuko flow returns."""
        self.inner = inner
        super().__init__(inner.batch_shape, inner.event_shape, validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, d]."""
        with self._exact():
            drawn: Tensor = self.inner.rsample(Size(sample_shape))
            return drawn

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [...] for values [..., d]."""
        with self._exact():
            nats: Tensor = self.inner.log_prob(value)
            return nats

    def _exact(self) -> torch.autocast:
        base: Tensor = self.inner.base.mean
        return torch.autocast(base.device.type, enabled=False)
