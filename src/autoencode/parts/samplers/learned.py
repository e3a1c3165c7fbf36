"""Samplers that are small networks: a normalising flow and a second VAE."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from autoencode.contract import Sizes, Width, Within
from autoencode.maths import SharedScaleNormal, SplineFlow, standard_normal
from autoencode.parts.samplers.fitted import ContinuousSampler, train_network

Steps = Annotated[int, Within(1, 10_000_000)]
LearningRate = Annotated[float, Within(0.0, 10.0)]


class Flow(ContinuousSampler):
    """Neural spline flow, trained by maximum likelihood; its density is exact.

    transforms: number of autoregressive transforms; a sample takes one pass per latent dimension.
    hidden: widths of each transform's network.   bins: pieces of each spline.
    steps, lr: training steps and learning rate, for batches of 500 codes.
    Source: [durkan2019].
    """

    name = "flow"

    def __init__(
        self,
        sizes: Sizes,
        transforms: Annotated[int, Within(1, 1_000)] = 3,
        hidden: tuple[Width, ...] = (64, 64),
        bins: Annotated[int, Within(2, 1_000)] = 8,
        steps: Steps = 1000,
        lr: LearningRate = 5e-3,
    ) -> None:
        super().__init__(sizes)
        self.transforms, self.hidden, self.bins = transforms, hidden, bins
        self.steps, self.lr = steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> SplineFlow:
        return SplineFlow(self.sizes.latent, 0, self.transforms, self.hidden, self.bins)

    def fit_standardised(self, z: Tensor, seed: int) -> None:
        """Maximises the likelihood of the codes."""

        def loss(batch: Tensor) -> Tensor:
            return -self.standardised().log_prob(z[batch]).mean()

        train_network(self.network, self._build, loss, len(z), seed, self.steps, self.lr)

    def standardised(self) -> Distribution:
        """Event [latent]."""
        flow: Distribution = self.network()
        return flow


class TwoStage(ContinuousSampler):
    """Two-stage VAE: a second VAE that is trained on the codes of the first.

    u ~ N(0, I), z ~ N(f(u), γ² I), where u has the size of z and γ is learned. The codes of a VAE
    need not follow its prior; the second VAE models their distribution. The density of z has no
    closed form.
    width: units of the two hidden layers of encoder and decoder.
    steps, lr: training steps and learning rate, for batches of 500 codes.
    Source: [dai2019].
    """

    name = "two-stage"

    def __init__(
        self, sizes: Sizes, width: Width = 256, steps: Steps = 3000, lr: LearningRate = 1e-3
    ) -> None:
        super().__init__(sizes)
        self.width, self.steps, self.lr = width, steps, lr
        self.network = self._build().requires_grad_(False)

    def _build(self) -> SecondStage:
        return SecondStage(self.sizes.latent, self.width)

    def fit_standardised(self, z: Tensor, seed: int) -> None:
        """Maximises the evidence lower bound of the codes."""
        noise = torch.Generator(z.device).manual_seed(seed)

        def loss(batch: Tensor) -> Tensor:
            return self.network.negative_elbo(z[batch], noise).mean()

        train_network(self.network, self._build, loss, len(z), seed, self.steps, self.lr)

    def standardised(self) -> Distribution:
        """Event [latent]; it has `sample` and no `log_prob`."""
        return SecondStageCodes(self.network)


class SecondStage(nn.Module):
    """A small VAE of vectors with a learned scale."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.encoder = _two_layers(size, width, 2 * size)
        self.decoder = _two_layers(size, width, size)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def likelihood(self, u: Tensor) -> SharedScaleNormal:
        """p(z|u) for u [*S, size]; the scale is at least e⁻⁶."""
        return SharedScaleNormal(self.decoder(u), self.log_scale.clamp(min=-6.0).exp(), 1)

    def negative_elbo(self, z: Tensor, noise: torch.Generator) -> Tensor:
        """−ln p(z|u) + KL(q(u|z) ‖ p(u)) of codes [B, size] for one sample of u: nats, [B]."""
        mean, log_variance = self.encoder(z).chunk(2, -1)
        scale = (0.5 * log_variance.clamp(-30.0, 20.0)).exp()
        q = Independent(Normal(mean, scale, validate_args=False), 1)
        epsilon = torch.randn(mean.shape, generator=noise, dtype=mean.dtype, device=mean.device)
        kl = kl_divergence(q, standard_normal((self.size,), like=mean))
        return kl - self.likelihood(mean + scale * epsilon).log_prob(z)


class SecondStageCodes(Distribution):
    """The distribution of the codes that a second stage generates: event [size]."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, network: SecondStage) -> None:
        self.network = network
        super().__init__(event_shape=torch.Size((network.size,)), validate_args=False)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, size]."""
        like = self.network.log_scale
        u = standard_normal((self.network.size,), like).sample(torch.Size(sample_shape))
        return self.network.likelihood(u).sample()


def _two_layers(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )
