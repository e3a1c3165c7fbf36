"""Transformers for images, which are divided into square patches."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear, widen
from autoencode.parts.networks.images import CodeShape, ImageNetwork, Map
from autoencode.parts.networks.layers import with_context
from autoencode.parts.networks.linear import Linear, PrincipalDecoder, decoder_path, encoder_path

Blocks = Annotated[int, Within(1, 64)]
# The longest wavelength of the position embeddings, in patches over 2π.
MAX_WAVELENGTH = 10_000


class Transformer(ImageNetwork):
    """Transformer blocks on the patches of an image, with pre-normalisation.

    A patch is one token: a linear layer of its pixels plus a fixed sinusoidal embedding of its
    position. With code="vector", the code is a linear layer of the mean token, and the decoder adds
    another linear layer of the code to every position; with code="map", each position has its own
    code of `latent` numbers. The context is concatenated to what the linear layers receive.
    An image whose sides are no multiples of the patch is padded with zeros on the right and below.

    patch: height and width of a patch in pixels.
    width: numbers of a token, a multiple of 4 and of `heads`.
    blocks, decoder_blocks: blocks of the encoder and of the decoder.
    heads: heads of each attention.
    ratio: units of the hidden layer of a block, divided by `width`.
    code, linear: as in `Conv`; with a linear path codes are vectors.

    Raises:
        RecipeError: the width does not fit, or a linear path to codes that are maps.
    Source: [vaswani2017], [dosovitskiy2021].
    """

    name = "transformer"

    def __init__(
        self,
        patch: Annotated[int, Within(1, 256)] = 4,
        width: Width = 64,
        blocks: Blocks = 3,
        decoder_blocks: Blocks = 1,
        heads: Annotated[int, Within(1, 256)] = 4,
        ratio: Annotated[int, Within(1, 16)] = 4,
        code: CodeShape = "vector",
        linear: Linear = "none",
    ) -> None:
        if width % math.lcm(4, heads):
            step = math.lcm(4, heads)
            raise RecipeError(
                f"A transformer with {heads} heads needs a width that is a multiple of {step}, "
                f"and it is {width}",
                f"Use --set network.width={max(1, round(width / step)) * step}.",
            )
        if linear != "none" and code == "map":
            raise RecipeError(
                "A linear path has codes that are vectors, and this transformer gives feature maps",
                "Use --set network.code=vector, or --set network.linear=none.",
            )
        self.patch, self.width, self.heads, self.ratio = patch, width, heads, ratio
        self.blocks, self.decoder_blocks = blocks, decoder_blocks
        self.code, self.linear = code, linear

    def positions(self, sizes: Sizes) -> tuple[int, int]:
        """Number of patches along the height and along the width."""
        _, high, wide = self.image_of(sizes)
        return -(-high // self.patch), -(-wide // self.patch)

    def body(self, blocks: int) -> nn.Sequential:
        """Blocks, and the normalisation after the last, [B, N, width] to the same shape."""
        made = [Block(self.width, self.heads, self.ratio) for _ in range(blocks)]
        return nn.Sequential(*made, nn.LayerNorm(self.width))

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        return PatchEncoder(self, sizes, features)

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        return PatchDecoder(self, sizes, channels)


class Block(nn.Module):
    """Transformer block: self-attention, then a dense layer, each added to its input."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        # A bias of the keys would change no output, and one of the values is that of `out`: their
        # gradients are 0 but for rounding, which Adam would scale to full steps.
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.query_bias = nn.Parameter(torch.zeros(width))
        self.out = nn.Linear(width, width)
        self.dense = nn.Sequential(
            nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width)
        )

    def forward(self, h: Tensor) -> Tensor:
        """Tokens [B, N, width] to the same shape."""
        h = h + self.attention(self.first(h))
        out: Tensor = h + self.dense(self.second(h))
        return out

    def attention(self, h: Tensor) -> Tensor:
        """Scaled dot-product attention of all tokens, [B, N, width] to the same shape."""
        projected = self.project(h).chunk(3, -1)
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (projected[0] + self.query_bias, *projected[1:])
        )
        # On processors, PyTorch's gradient of attention in bfloat16 takes 15 times as long.
        with torch.autocast(h.device.type, enabled=h.device.type != "cpu"):
            if h.device.type == "cpu":
                query, key, value = widen(query), widen(key), widen(value)
            mixed = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class PatchEncoder(nn.Module):
    """Encoder network: patches, blocks, and a linear layer of the mean token or of each token."""

    def __init__(self, config: Transformer, sizes: Sizes, features: int) -> None:
        super().__init__()
        self.image, self.patch = config.image_of(sizes), config.patch
        grid = config.positions(sizes)
        self.is_map = len(sizes.z) > 1
        if self.is_map:
            config.check_code(sizes)
        self.embed = nn.Linear(self.image[0] * config.patch**2, config.width)
        self.register_buffer("places", position_embeddings(*grid, config.width), persistent=False)
        self.body = config.body(config.blocks)
        outputs = features // math.prod(grid) if self.is_map else features
        self.head = Float32Linear(config.width + sizes.context, outputs)
        self.shortcut = encoder_path(config.linear, sizes, features, self.head)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]; those of a map are ordered channel by channel."""
        tokens = self.tokens(x)
        if self.is_map:
            by_patch: Tensor = self.head(_with_context(tokens, context))
            return by_patch.mT.flatten(1)
        features: Tensor = self.head(with_context(tokens.mean(1), context))
        if self.shortcut is not None:
            features = features + self.shortcut(x.flatten(1), context)
        return features

    def tokens(self, x: Tensor, shown: Tensor | None = None) -> Tensor:
        """Tokens after the last block, [B, N, width].

        shown: the patches that the blocks see, indices [B, n]; None for all N.
        """
        patches = to_patches(x.reshape(-1, *self.image), self.patch)
        places = self.get_buffer("places")
        if shown is not None:
            patches = patches.gather(1, shown[..., None].expand(-1, -1, patches.shape[-1]))
            places = places[shown]
        out: Tensor = self.body(self.embed(patches) + places)
        return out

    def shown_features(self, x: Tensor, shown: Tensor, context: Tensor | None = None) -> Tensor:
        """Features of a map at the positions `shown` [B, n], computed from these, [B, n, F]."""
        features: Tensor = self.head(_with_context(self.tokens(x, shown), context))
        return features


class PatchDecoder(nn.Module):
    """Decoder network: a linear layer of the code at each position, blocks, and patches."""

    def __init__(self, config: Transformer, sizes: Sizes, channels: int) -> None:
        super().__init__()
        colours, *self.size = config.image_of(sizes)
        self.patch, self.channels = config.patch, channels * colours
        self.shape = (channels, *sizes.x)
        self.is_map = len(sizes.z) > 1
        if self.is_map:
            config.check_code(sizes)
        self.grid = config.positions(sizes)
        self.embed = Float32Linear(sizes.z[0] + sizes.context, config.width)
        places = position_embeddings(*self.grid, config.width)
        self.register_buffer("places", places, persistent=False)
        self.body = config.body(config.decoder_blocks)
        self.out = nn.Linear(config.width, self.channels * config.patch**2)
        self.shortcut = decoder_path(config.linear, sizes, channels * sizes.pixels, self.out)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        codes = z.flatten(2).mT if self.is_map else z[:, None]
        tokens = self.body(self.embed(_with_context(codes, context)) + self.get_buffer("places"))
        patches: Tensor = self.out(tokens)
        image = from_patches(patches, (self.channels, *self.grid), self.patch)
        out = image[..., : self.size[0], : self.size[1]].reshape(-1, *self.shape)
        if self.shortcut is not None:
            out = out + self.shortcut(z, context).reshape(-1, *self.shape)
        return out

    def start_at(self, examples: Tensor) -> None:
        """Lets outputs start around the means of the channels of these, [N, channels, *X]."""
        if isinstance(self.shortcut, PrincipalDecoder):
            return  # it has the mean
        means = examples.reshape(len(examples), self.channels, -1).mean((0, 2))
        self.out.bias.data.copy_(means.repeat_interleave(self.patch**2))


def to_patches(images: Tensor, patch: int) -> Tensor:
    """Images [B, C, H, W] as patches, row by row, [B, h · w, C · patch²]; sides are rounded up."""
    high, wide = images.shape[-2:]
    images = functional.pad(images, (0, -wide % patch, 0, -high % patch))
    batch, channels, high, wide = images.shape
    parts = images.reshape(batch, channels, high // patch, patch, wide // patch, patch)
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def from_patches(patches: Tensor, shape: Map, patch: int) -> Tensor:
    """The inverse of `to_patches`, with the padding: [B, C, h · patch, w · patch] for (C, h, w)."""
    channels, high, wide = shape
    parts = patches.reshape(-1, high, wide, channels, patch, patch)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(-1, channels, high * patch, wide * patch)


def position_embeddings(high: int, wide: int, width: int) -> Tensor:
    """Sines and cosines of the row and of the column of each position, [high · wide, width].

    Source: [vaswani2017], section 3.5; half of the numbers for each of the two axes.
    """
    quarter = width // 4
    frequencies = MAX_WAVELENGTH ** (-torch.arange(quarter) / quarter)
    rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
    angles = [each.reshape(-1, 1) * frequencies for each in (rows, columns)]
    return torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], 1)


def _with_context(tokens: Tensor, context: Tensor | None) -> Tensor:
    """Appends the context [B, C] to every token of [B, N, F]."""
    if context is None:
        return tokens
    return with_context(tokens, context[:, None].expand(-1, tokens.shape[1], -1))
