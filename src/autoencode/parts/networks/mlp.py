"""Fully connected networks for images of any size and for vectors."""

from __future__ import annotations

from torch import Tensor, nn

from autoencode.contract import Network, Sizes, Width
from autoencode.maths import Float32Linear
from autoencode.parts.networks.layers import Activation, Dropout, Norm, dense, with_context


class MLP(Network):
    """Fully connected layers; the decoder mirrors the encoder.

    hidden: widths of the hidden layers of the encoder; () for a single linear layer.
    dropout: probability that a hidden unit is set to 0 in training.
    norm: "batch" normalises each hidden unit over the batch [ioffe2015] and needs batches of two or
        more. "layer" normalises each example over its units [ba2016].
    """

    name = "mlp"

    def __init__(
        self,
        hidden: tuple[Width, ...] = (512,),
        activation: Activation = "relu",
        dropout: Dropout = 0.0,
        norm: Norm = "none",
    ) -> None:
        self.hidden, self.activation = hidden, activation
        self.dropout, self.norm = dropout, norm

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        return MLPEncoder(self, sizes, features)

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        return MLPDecoder(self, sizes, channels)


class MLPEncoder(nn.Module):
    """Encoder network: examples to features."""

    def __init__(self, config: MLP, sizes: Sizes, features: int) -> None:
        super().__init__()
        widths = (sizes.pixels + sizes.context, *config.hidden)
        self.body = dense(widths, config.activation, config.dropout, config.norm)
        self.head = Float32Linear(widths[-1], features)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        features: Tensor = self.head(self.body(with_context(x.flatten(1), context)))
        return features


class MLPDecoder(nn.Module):
    """Decoder network: codes to the parameters of the likelihood."""

    def __init__(self, config: MLP, sizes: Sizes, channels: int) -> None:
        super().__init__()
        self.shape = (channels, *sizes.x)
        widths = (sizes.latent + sizes.context, *reversed(config.hidden))
        self.body = dense(
            widths, config.activation, config.dropout, config.norm, first=Float32Linear
        )
        last = nn.Linear if config.hidden else Float32Linear
        self.out = last(widths[-1], channels * sizes.pixels)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        out: Tensor = self.out(self.body(with_context(z.flatten(1), context)))
        return out.reshape(-1, *self.shape)
