"""The base class of semi-supervised models, which predict labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Sampler, Sizes, Space
from autoencode.data.preprocessing import Preprocessing
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.base import BaseAutoencoder
from autoencode.models.inputs import gradients
from autoencode.models.recipe import Recipe


class LabelModel(BaseAutoencoder):
    """Base class of models in which the class y is a latent variable, observed for some examples.

    core: the inner model of the same codes; it holds their prior and sampler.
    """

    # Unit of each cost that the model itself charges; see `Bottleneck.cost_units`.
    cost_units: ClassVar[Mapping[str, str]] = {"label-kl": "nats", "classification": "nats"}
    recipe: Recipe
    sizes: Sizes
    space: Space
    core: SlotAutoencoder | LabelModel
    preprocessing: Preprocessing | None = None

    @property
    def encoder(self) -> MethodModule:
        """The encoder as a separate module: `encoder(x)`, `encoder(x, labels)`."""
        return MethodModule(self, lambda x, context: self.encode(x, context).z)

    @property
    def decoder(self) -> MethodModule:
        """The decoder as a separate module: `decoder(z)`, `decoder(z, labels)`."""
        return MethodModule(self, lambda z, context: self.decode(z, context).mean)

    @property
    def latent_sampler(self) -> Sampler | None:
        """The sampler, which is fitted to the codes after training."""
        return self.core.latent_sampler

    def prior(self, context: Tensor | None = None) -> Distribution | None:
        """See `Autoencoder.prior`."""
        return self.core.prior(context)

    def sampler(self) -> Distribution | None:
        """See `Autoencoder.sampler`."""
        return self.core.sampler()

    def predict(self, x: Any) -> Tensor:
        """The most probable class of each example [B, *X]: [B], int64."""
        return self.predict_proba(x).argmax(-1)

    def predict_proba(self, x: Any) -> Tensor:
        """The probability of each class for examples [B, *X]: [B, K]; inputs as for `encode`."""
        examples, _ = self._inputs(x, None)
        with gradients(self, examples):
            return self.proba(examples)

    @abstractmethod
    def proba(self, x: Tensor) -> Tensor:
        """The probability of each class for examples as the networks see them: [B, K]."""

    @abstractmethod
    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """Decodes codes to p(x|z); an unknown label makes it a mixture over all classes."""


class MethodModule(nn.Module):
    """A module that calls one method of a model: its encoder or its decoder."""

    def __init__(self, model: nn.Module, method: Callable[[Any, Any], Tensor]) -> None:
        super().__init__()
        self.model, self.method = model, method
        self.training = model.training

    def forward(self, inputs: Any, context: Any = None) -> Tensor:
        """Calls the method; `context` are labels as in `SemiSupervised`."""
        return self.method(inputs, context)
