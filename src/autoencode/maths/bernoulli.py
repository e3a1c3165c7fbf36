"""Black and white pixels, each alone, as one distribution over an image."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional


class BernoulliImages(Distribution):
    """∏ Bernoulli(xᵢ; sigmoid(θᵢ)) over whole images.

    `torch.distributions.Independent(Bernoulli(logits=θ), k)` is the same distribution; its
    logarithm is taken in twice as many passes over the images.
    """

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012

    def __init__(self, logits: Float[Tensor, "*batch_event"], event_dims: int) -> None:
        """Logits θ of shape [*batch, *event]; the last `event_dims` dimensions are the event."""
        self.logits = logits
        cut = logits.dim() - event_dims
        super().__init__(logits.shape[:cut], logits.shape[cut:], validate_args=False)

    @property
    def support(self) -> Any:
        """Images of zeros and ones."""
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
        """Draws [*sample_shape, *batch, *event]."""
        with torch.no_grad():
            return torch.bernoulli(self.mean.expand(self._extended_shape(Size(sample_shape))))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]: Σᵢ xᵢ θᵢ − ln(1 + exp θᵢ); grey values count in proportion."""
        event = tuple(range(-len(self.event_shape), 0))
        return self._agreement(value, event) - functional.softplus(self.logits).sum(event)

    def _agreement(self, value: Tensor, event: tuple[int, ...]) -> Tensor:
        """Σᵢ xᵢ θᵢ, [*batch]."""
        if value.numel() > self.event_shape.numel():
            return (value * self.logits).sum(event)
        # Many draws and one image: a product of a matrix and a vector, and nothing written between.
        image = value.reshape(-1).to(self.logits.dtype)
        return (self.logits.reshape(-1, len(image)) @ image).reshape(self.batch_shape)

    def entropy(self) -> Tensor:
        """Nats, [*batch]."""
        event = tuple(range(-len(self.event_shape), 0))
        return (functional.softplus(self.logits) - self.mean * self.logits).sum(event)
