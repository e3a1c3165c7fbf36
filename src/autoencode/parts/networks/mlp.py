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
    skip: add a linear map from inputs to outputs in encoder and decoder, so that the layers learn
        only what a linear model cannot; it helps with few examples, as in tables.
    """

    name = "mlp"

    def __init__(
        self,
        hidden: tuple[Width, ...] = (512,),
        activation: Activation = "relu",
        dropout: Dropout = 0.0,
        norm: Norm = "none",
        skip: bool = False,
    ) -> None:
        self.hidden, self.activation, self.skip = hidden, activation, skip
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
        self.shortcut = _shortcut(config, widths[0], features, self.head)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        inputs = with_context(x.flatten(1), context)
        features: Tensor = self.head(self.body(inputs))
        return features if self.shortcut is None else features + self.shortcut(inputs)


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
        self.shortcut = _shortcut(config, widths[0], channels * sizes.pixels, self.out)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        inputs = with_context(z.flatten(1), context)
        out: Tensor = self.out(self.body(inputs))
        if self.shortcut is not None:
            out = out + self.shortcut(inputs)
        return out.reshape(-1, *self.shape)

    def start_at(self, examples: Tensor) -> None:
        """Lets the outputs start around the mean of these, [N, channels, *X]: their bias is it."""
        last = self.out if self.shortcut is None else self.shortcut
        if isinstance(last, nn.Linear):
            last.bias.data.copy_(examples.mean(0).flatten())


def _shortcut(config: MLP, inputs: int, outputs: int, last: nn.Linear) -> nn.Linear | None:
    """The linear map next to the hidden layers, whose last layer then starts at 0."""
    if not config.skip or not config.hidden:
        return None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return Float32Linear(inputs, outputs)
