"""Base classes of samplers, and the training loop of samplers that are networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution, ReshapeTransform
from torch.distributions import TransformedDistribution as Transformed

from autoencode.contract import Code, Sampler, Sizes
from autoencode.errors import DataError, RunError
from autoencode.io.progress import Bar

# Minimum standard deviation of a dimension, as a fraction of the largest one.
MIN_RELATIVE_SCALE = 1e-6
# Training of a sampler's network: examples per batch, and the maximum norm of a gradient.
BATCH_SIZE = 500
MAX_GRADIENT_NORM = 5.0


class FittedSampler(Sampler):
    """A sampler that raises an error before it is fitted; training does not change its weights."""

    # Minimum number of codes for a fit.
    min_codes: int = 2
    fitted: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("fitted", torch.tensor(False))

    @abstractmethod
    def fit_codes(self, code: Code, seed: int) -> None:
        """Fits the distribution; called by `fit` after its checks."""

    @abstractmethod
    def distribution(self) -> Distribution:
        """The fitted distribution, event [*Z]; called by `forward` after its check."""

    def fit(self, code: Code, seed: int) -> None:
        """Fits the distribution to codes; the same codes and seed give the same result.

        Raises:
            DataError: there are too few codes, or they are not finite.
        """
        if len(code.z) < self.min_codes:
            raise DataError(
                f"This sampler needs {self.min_codes:,} codes or more, and got {len(code.z):,}",
                "Give more training examples, or a simpler sampler: --set sampler=normal.",
            )
        if not bool(code.z.isfinite().all()):
            raise DataError("A sampler cannot be fitted to codes that are not finite")
        with torch.enable_grad(), torch.autocast(code.z.device.type, enabled=False):
            self.fit_codes(code, seed)
        self.fitted.fill_(True)

    def forward(self) -> Distribution:
        """Returns the fitted distribution, event [*Z].

        Raises:
            RunError: the sampler has not been fitted.
        """
        if not bool(self.fitted):
            raise RunError(
                "The sampler has not been fitted; this happens at the end of the training",
                "Finish the training first.",
            )
        return self.distribution()


class ContinuousSampler(FittedSampler):
    """A sampler of continuous codes, fitted to codes that are standardised per dimension."""

    mean: Tensor  # [latent]
    scale: Tensor  # [latent]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("mean", torch.zeros(sizes.latent))
        self.register_buffer("scale", torch.ones(sizes.latent))

    @abstractmethod
    def fit_standardised(self, z: Tensor, seed: int) -> None:
        """Fits the distribution to standardised codes [N, latent]."""

    @abstractmethod
    def standardised(self) -> Distribution:
        """The distribution of standardised codes, event [latent]."""

    def fit_codes(self, code: Code, seed: int) -> None:
        """Standardises the codes and fits the distribution."""
        # A copy, because autograd cannot use tensors that were created in inference mode.
        z = code.z.detach().clone().flatten(1).to(self.mean)
        self.mean.copy_(z.mean(0))
        scale = z.std(0)
        smallest = MIN_RELATIVE_SCALE * scale.max()
        self.scale.copy_(scale.clamp(min=smallest).clamp(min=MIN_RELATIVE_SCALE**2))
        self.fit_standardised((z - self.mean) / self.scale, seed)

    def distribution(self) -> Distribution:
        """Event [*Z]."""
        scaling = AffineTransform(self.mean, self.scale, event_dim=1)
        shape = ReshapeTransform(torch.Size((self.sizes.latent,)), torch.Size(self.sizes.z))
        return Transformed(self.standardised(), [scaling, shape], validate_args=False)


def train_network(
    module: nn.Module,
    build: Callable[[], nn.Module],
    loss: Callable[[Tensor], Tensor],
    n: int,
    seed: int,
    steps: int,
    lr: float,
) -> None:
    """Initialises and trains a sampler's network by Adam with a cosine learning-rate schedule.

    build: creates the network anew. Its random weights depend on `seed` and not on the device.
    loss: takes the indices of a batch among n examples, [B], and returns the loss, [].
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module.load_state_dict(build().state_dict())
    generator = torch.Generator().manual_seed(seed)
    weights = list(module.requires_grad_().parameters())
    optimizer = torch.optim.Adam(weights, lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with Bar("fitting the sampler", steps) as bar:
        for _ in range(steps):
            batch = torch.randint(n, (min(BATCH_SIZE, n),), generator=generator)
            optimizer.zero_grad()
            loss(batch.to(weights[0].device)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            bar.update(1)
    module.requires_grad_(False)
