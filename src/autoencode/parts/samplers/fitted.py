"""What samplers share: a state that says whether they were fitted, and a small training loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import AffineTransform, Distribution, ReshapeTransform
from torch.distributions import TransformedDistribution as Transformed

from autoencode.contract import Code, Sampler, Sizes
from autoencode.errors import DataError, RunError

# A number that hardly varies is not stretched beyond this share of the widest.
NARROWEST = 1e-6


class FittedSampler(Sampler):
    """A sampler that refuses use before it was fitted, and whose weights only `fit` moves."""

    # With fewer codes there is nothing to learn.
    least: int = 2
    fitted: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("fitted", torch.tensor(False))

    @abstractmethod
    def learn(self, code: Code, seed: int) -> None:
        """What `fit` does."""

    @abstractmethod
    def learned(self) -> Distribution:
        """What `forward` gives."""

    def fit(self, code: Code, seed: int) -> None:
        """See `Sampler.fit`; the same codes and seed give the same state.

        Raises:
            DataError: there are too few codes, or they are not finite.
        """
        if len(code.z) < self.least:
            raise DataError(
                f"This sampler learns from {self.least:,} codes or more, and has {len(code.z):,}",
                "Give more training examples, or a simpler sampler: --set sampler=normal.",
            )
        if not bool(code.z.isfinite().all()):
            raise DataError("A sampler cannot learn from codes that are not finite")
        with torch.enable_grad(), torch.autocast(code.z.device.type, enabled=False):
            self.learn(code, seed)
        self.fitted.fill_(True)

    def forward(self) -> Distribution:
        """See `Sampler.forward`.

        Raises:
            RunError: nothing has been fitted yet.
        """
        if not bool(self.fitted):
            raise RunError(
                "The sampler has not been fitted: it learns from the codes of a trained model",
                "Train the model to its end first.",
            )
        return self.learned()


class ContinuousSampler(FittedSampler):
    """Learns a distribution of codes whose every number was brought to mean 0 and scale 1."""

    mean: Tensor  # [latent]
    scale: Tensor  # [latent]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("mean", torch.zeros(sizes.latent))
        self.register_buffer("scale", torch.ones(sizes.latent))

    @abstractmethod
    def learn_standard(self, z: Tensor, seed: int) -> None:
        """Learns from standardised codes [N, latent]."""

    @abstractmethod
    def standard(self) -> Distribution:
        """The distribution of standardised codes, event [latent]."""

    def learn(self, code: Code, seed: int) -> None:
        """Standardises and learns."""
        # A copy, because codes made in inference mode cannot be learned from.
        z = code.z.detach().clone().flatten(1).to(self.mean)
        self.mean.copy_(z.mean(0))
        scale = z.std(0)
        self.scale.copy_(scale.clamp(min=NARROWEST * scale.max()).clamp(min=NARROWEST**2))
        self.learn_standard((z - self.mean) / self.scale, seed)

    def learned(self) -> Distribution:
        """Event [*Z]."""
        back = AffineTransform(self.mean, self.scale, event_dim=1)
        shape = ReshapeTransform(torch.Size((self.sizes.latent,)), torch.Size(self.sizes.z))
        return Transformed(self.standard(), [back, shape], validate_args=False)


def redraw(module: nn.Module, build: Callable[[], nn.Module], seed: int) -> None:
    """Gives `module` the weights that `build` draws with this seed, as it is on every device."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module.load_state_dict(build().state_dict())


class Learning:
    """How a sampler's network is trained: Adam on random batches, the step size falling to 0."""

    batch: ClassVar[int] = 500
    clip: ClassVar[float] = 5.0

    def __init__(self, steps: int, lr: float) -> None:
        self.steps, self.lr = steps, lr

    def minimise(
        self, module: nn.Module, loss: Callable[[Tensor], Tensor], n: int, seed: int
    ) -> None:
        """Trains `module`; `loss` takes the places of a batch among n examples, [B], gives []."""
        order = torch.Generator().manual_seed(seed)
        weights = list(module.requires_grad_().parameters())
        optimizer = torch.optim.Adam(weights, self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for _ in range(self.steps):
            chosen = torch.randint(n, (min(self.batch, n),), generator=order)
            optimizer.zero_grad()
            loss(chosen.to(weights[0].device)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, self.clip)
            optimizer.step()
            schedule.step()
        module.requires_grad_(False)
