"""Samplers that are small networks: a normalising flow, and a second autoencoder."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from autoencode.contract import Sizes, Width, Within
from autoencode.maths import SharedScaleNormal, SplineFlow, standard_normal
from autoencode.parts.samplers.fitted import ContinuousSampler, Learning, redraw

Steps = Annotated[int, Within(1, 10_000_000)]
Rate = Annotated[float, Within(0.0, 10.0)]


class Flow(ContinuousSampler):
    """A flow of splines: an invertible network between the codes and N(0, I).

    It is trained by maximum likelihood, −ln p(z) in nats, and knows its density exactly.
    transforms: autoregressive layers one after another; a draw takes as many passes through each
    as a code has numbers.   hidden: widths of each transform's network.   bins: pieces of each
    spline.   steps, lr: of its training, by 500 codes.   Source: [durkan2019].
    """

    def __init__(
        self,
        sizes: Sizes,
        transforms: Annotated[int, Within(1, 1_000)] = 3,
        hidden: tuple[Width, ...] = (64, 64),
        bins: Annotated[int, Within(2, 1_000)] = 8,
        steps: Steps = 1000,
        lr: Rate = 5e-3,
    ) -> None:
        super().__init__(sizes)
        self.transforms, self.hidden, self.bins = transforms, hidden, bins
        self.steps, self.lr = steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> SplineFlow:
        return SplineFlow(self.sizes.latent, 0, self.transforms, self.hidden, self.bins)

    def learn_standard(self, z: Tensor, seed: int) -> None:
        """Maximises the likelihood of the codes."""

        def loss(chosen: Tensor) -> Tensor:
            return -self.standard().log_prob(z[chosen]).mean()

        redraw(self.network, self._build, seed)
        Learning(self.steps, self.lr).minimise(self.network, loss, len(z), seed)

    def standard(self) -> Distribution:
        """Event [latent]."""
        flow: Distribution = self.network()
        return flow


class TwoStage(ContinuousSampler):
    """A second variational autoencoder, whose examples are the codes of the first.

    Codes of a trained model fill their space without following its prior; a VAE of their own
    size, with a learned scale γ for what it leaves over, learns where they are:
    u ~ N(0, I), z ~ N(f(u), γ² I). The density of z has no closed form.
    width: units of the two hidden layers on each side.   steps, lr: of its training, by 500 codes.
    Source: [dai2019].
    """

    def __init__(
        self, sizes: Sizes, width: Width = 256, steps: Steps = 3000, lr: Rate = 1e-3
    ) -> None:
        super().__init__(sizes)
        self.width, self.steps, self.lr = width, steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> SecondStage:
        return SecondStage(self.sizes.latent, self.width)

    def learn_standard(self, z: Tensor, seed: int) -> None:
        """Maximises the evidence lower bound of the codes."""
        noise = torch.Generator(z.device).manual_seed(seed)

        def loss(chosen: Tensor) -> Tensor:
            return self.network.bound(z[chosen], noise).mean()

        redraw(self.network, self._build, seed)
        Learning(self.steps, self.lr).minimise(self.network, loss, len(z), seed)

    def standard(self) -> Distribution:
        """Event [latent]; it can be drawn from, and has no log_prob."""
        return SecondStageCodes(self.network)


class SecondStage(nn.Module):
    """Encoder, decoder and scale of a small VAE on vectors."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.encoder = _two_layers(size, width, 2 * size)
        self.decoder = _two_layers(size, width, size)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def given(self, u: Tensor) -> SharedScaleNormal:
        """p(z|u) for u [*S, size]. The scale is at least e⁻⁶, as that of a pixel may be."""
        return SharedScaleNormal(self.decoder(u), self.log_scale.clamp(min=-6.0).exp(), 1)

    def bound(self, z: Tensor, noise: torch.Generator) -> Tensor:
        """−ln p(z|u) + KL(q(u|z) ‖ p(u)) of codes [B, size] at one draw of u: nats, [B]."""
        mean, log_variance = self.encoder(z).chunk(2, -1)
        scale = (0.5 * log_variance.clamp(-30.0, 20.0)).exp()
        q = Independent(Normal(mean, scale, validate_args=False), 1)
        draw = torch.randn(mean.shape, generator=noise, dtype=mean.dtype, device=mean.device)
        rate = kl_divergence(q, standard_normal((self.size,), like=mean))
        return rate - self.given(mean + scale * draw).log_prob(z)


class SecondStageCodes(Distribution):
    """What a second stage draws: event [size]."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, network: SecondStage) -> None:
        self.network = network
        super().__init__(event_shape=torch.Size((network.size,)), validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws [*sample_shape, size]."""
        like = self.network.log_scale
        u = standard_normal((self.network.size,), like).sample(torch.Size(sample_shape))
        return self.network.given(u).sample()


def _two_layers(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )
