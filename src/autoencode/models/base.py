"""The base class of the package's models: their public methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import Code, ModelOutput, Sizes
from autoencode.data.preprocessing import Preprocessing
from autoencode.models.inputs import code_inputs, example_inputs, gradients, unchecked


class BaseAutoencoder(nn.Module, ABC):
    """Base class of models: `encode`, `decode` and `forward` for inputs of any kind.

    They convert their inputs, see `inputs`, and outside of training they check the values. They
    record gradients in training mode, or if an input requires them. `code`, `distribution` and
    `reconstruction` do the same for tensors as the networks see them, and check shapes only.

    preprocessing: checks the values of examples; None checks that they are finite.
    missing: whether examples may have missing values, NaN.
    critics: the weights of the critics of its training, see `critics`, for evaluation; None if the
        training had none, or if they were not kept.
    """

    sizes: Sizes
    preprocessing: Preprocessing | None
    missing: bool = False
    critics: Mapping[str, Tensor] | None = None
    # Measures that have no meaning for the model -> the reason.
    unmeasured: Mapping[str, str] = MappingProxyType({})

    def encode(self, x: Any, context: Any = None, samples: int | None = None) -> Code:
        """See `Autoencoder.encode`."""
        examples, features = self._inputs(x, context)
        with gradients(self, examples, features):
            return self.code(examples, features, samples)

    def decode(self, z: Any, context: Any = None) -> Distribution:
        """See `Autoencoder.decode`."""
        codes, features = code_inputs(self, self.sizes, z, context)
        with gradients(self, codes, features):
            return self.distribution(codes, features)

    def forward(self, x: Any, context: Any = None) -> ModelOutput:
        """See `Autoencoder.forward`; images have the shape of `x`."""
        examples, features = self._inputs(x, context)
        with gradients(self, examples, features), unchecked():
            codes, images = self.reconstruction(examples, features)
        return ModelOutput(codes, images.reshape(examples.shape))

    @abstractmethod
    def code(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """Encodes examples [B, *X], floats as the networks see them; see `Autoencoder.encode`."""

    @abstractmethod
    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """Decodes codes [*S, B, *Z] to p(x|z), see `Autoencoder.decode`."""

    @abstractmethod
    def reconstruction(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """Encodes and decodes examples: codes [B, *Z] and images [B, *X]."""

    def _inputs(self, x: Any, context: Any) -> tuple[Tensor, Tensor | None]:
        return example_inputs(
            self,
            self.sizes,
            x,
            context,
            preprocessing=self.preprocessing,
            missing=self.missing,
        )
