"""The Bernoulli distribution of images."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional


class BernoulliImages(Distribution):
    """Independent Bernoulli pixels, ∏ Bernoulli(xᵢ; sigmoid(θᵢ)).

    It equals `torch.distributions.Independent(Bernoulli(logits=θ), k)`, with a faster `log_prob`.
    """

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012

    def __init__(self, logits: Float[Tensor, "*batch_event"], event_dims: int) -> None:
        """Logits θ of shape [*batch, *event]; the last `event_dims` dimensions are the event."""
        self.logits = logits
        cut = logits.dim() - event_dims
        super().__init__(logits.shape[:cut], logits.shape[cut:], validate_args=False)

    @property
    def support(self) -> Any:
        """Binary images."""
        return constraints.independent(constraints.boolean, len(self.event_shape))  # type: ignore[no-untyped-call]

    @property
    def mean(self) -> Tensor:
        """[*batch, *event]."""
        return self.logits.sigmoid()

    @property
    def variance(self) -> Tensor:
        """[*batch, *event]."""
        return self.mean * (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, *event]."""
        with torch.no_grad():
            return torch.bernoulli(self.mean.expand(self._extended_shape(Size(sample_shape))))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]: Σᵢ xᵢ θᵢ − ln(1 + exp θᵢ), also for grey values xᵢ in [0, 1]."""
        event = tuple(range(-len(self.event_shape), 0))
        return self._inner_product(value, event) - functional.softplus(self.logits).sum(event)

    def _inner_product(self, value: Tensor, event: tuple[int, ...]) -> Tensor:
        """Σᵢ xᵢ θᵢ, [*batch]."""
        if value.numel() > self.event_shape.numel():
            return (value * self.logits).sum(event)
        # Many samples and one image: a matrix-vector product without temporary tensors.
        image = value.reshape(-1).to(self.logits.dtype)
        return (self.logits.reshape(-1, len(image)) @ image).reshape(self.batch_shape)

    def entropy(self) -> Tensor:
        """Nats, [*batch]."""
        event = tuple(range(-len(self.event_shape), 0))
        return (functional.softplus(self.logits) - self.mean * self.logits).sum(event)
