"""Fully connected networks for images of any size and for vectors."""

from __future__ import annotations

from torch import Tensor, nn

from autoencode.contract import Network, Sizes, Width
from autoencode.maths import Float32Linear
from autoencode.parts.networks.layers import Activation, Dropout, Norm, dense, with_context
from autoencode.parts.networks.linear import Linear, decoder_path, encoder_path


class MLP(Network):
    """Fully connected layers; the decoder mirrors the encoder.

    hidden: widths of the hidden layers of the encoder; () for a single linear layer.
    dropout: probability that a hidden unit is set to 0 in training.
    norm: "batch" normalises each hidden unit over the batch [ioffe2015] and needs batches of two or
        more. "layer" normalises each example over its units [ba2016].
    linear: a linear path from inputs to outputs in encoder and decoder, so that the hidden layers
        learn only what a linear model cannot. "random" has random weights; "pca" begins at the
        principal components of the training part, see `models.linear`.
    """

    name = "mlp"

    def __init__(
        self,
        hidden: tuple[Width, ...] = (512,),
        activation: Activation = "relu",
        dropout: Dropout = 0.0,
        norm: Norm = "none",
        linear: Linear = "none",
    ) -> None:
        self.hidden, self.activation = hidden, activation
        self.dropout, self.norm = dropout, norm
        # Without hidden layers the network is linear itself.
        self.linear: Linear = linear if hidden else "none"

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
        self.shortcut = encoder_path(config.linear, sizes, features, self.head)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        x = x.flatten(1)
        features: Tensor = self.head(self.body(with_context(x, context)))
        return features if self.shortcut is None else features + self.shortcut(x, context)


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
        self.shortcut = decoder_path(config.linear, sizes, channels * sizes.pixels, self.out)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        z = z.flatten(1)
        out: Tensor = self.out(self.body(with_context(z, context)))
        if self.shortcut is not None:
            out = out + self.shortcut(z, context)
        return out.reshape(-1, *self.shape)

    def start_at(self, examples: Tensor) -> None:
        """Lets the outputs start around the mean of these, [N, channels, *X]: their bias is it."""
        last = self.out if self.shortcut is None else self.shortcut
        if isinstance(last, nn.Linear):  # a path through principal components has the mean
            last.bias.data.copy_(examples.mean(0).flatten())
