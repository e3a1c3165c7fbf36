"""What models that learn to tell labels have alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Sampler, Sizes, Space
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.recipe import Recipe


class LabelModel(nn.Module, ABC):
    """A model in which the class y is a latent variable, which a few examples show.

    core: what has the same codes within, so that their prior and sampler are its own.
    """

    # Unit of each cost that the model itself charges; see `Bottleneck.cost_units`.
    cost_units: ClassVar[Mapping[str, str]] = {"label-kl": "nats", "classification": "nats"}
    recipe: Recipe
    sizes: Sizes
    space: Space
    core: SlotAutoencoder | LabelModel

    @property
    def encoder(self) -> MethodModule:
        """Images to codes, a module that works alone: `encoder(x)`, `encoder(x, labels)`."""
        return MethodModule(self, self.codes)

    @property
    def decoder(self) -> MethodModule:
        """Codes to images, a module that works alone: `decoder(z)`, `decoder(z, labels)`."""
        return MethodModule(self, lambda z, context: self.decode(z, context).mean)

    @property
    def latent_sampler(self) -> Sampler | None:
        """What is fitted to the codes after training."""
        return self.core.latent_sampler

    def prior(self, context: Tensor | None = None) -> Distribution | None:
        """See `Autoencoder.prior`."""
        return self.core.prior(context)

    def sampler(self) -> Distribution | None:
        """See `Autoencoder.sampler`."""
        return self.core.sampler()

    def predict(self, x: Tensor) -> Tensor:
        """The likeliest class of each example [B, *X]: [B], int64."""
        return self.predict_proba(x).argmax(-1)

    @abstractmethod
    def predict_proba(self, x: Tensor) -> Tensor:
        """The probability of each class for examples [B, *X]: [B, K]."""

    @abstractmethod
    def codes(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Images [B, *X] to codes [B, *Z], a posterior's mean."""

    @abstractmethod
    def decode(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `Autoencoder.decode`; an unknown label makes p(x|z) a mixture over all classes."""


class MethodModule(nn.Module):
    """One way through a model, called as a module: codes of images, or images of codes."""

    def __init__(self, model: nn.Module, way: Callable[[Tensor, Tensor | None], Tensor]) -> None:
        super().__init__()
        self.model, self.way = model, way
        self.training = model.training

    def forward(self, given: Tensor, context: Tensor | None = None) -> Tensor:
        """What the way leads to, for labels as in `SemiSupervised`."""
        return self.way(given, context)
