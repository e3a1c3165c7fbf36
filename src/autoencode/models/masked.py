"""Masked autoencoders: the encoder sees some patches of an image, and the decoder restores all."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.models.assemble import SlotAutoencoder, assemble, context_features
from autoencode.models.recipe import Recipe
from autoencode.parts.corruptions import MaskedPatches
from autoencode.parts.networks import network_class
from autoencode.parts.networks.transformer import PatchEncoder, Transformer

# Standard deviation of the initial code of hidden patches.
TOKEN_SCALE = 0.02


class MaskedAutoencoder(SlotAutoencoder):
    """A masked autoencoder; in a training pass, the encoder computes the shown patches only.

    hidden_code: the code of hidden patches, learned, [D, 1, 1].
    """

    def __init__(self, recipe: Recipe, sizes: Sizes) -> None:
        standard = assemble(recipe, sizes)
        super().__init__(recipe, sizes, standard.encoder, standard.decoder, standard.latent_prior)
        self.hidden_code = nn.Parameter(TOKEN_SCALE * torch.randn(sizes.z[0], 1, 1))

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`; the target of the likelihood is the complete image."""
        x = self.encoder.examples(x)
        context = context_features(self.context, context)
        patches, network = self.corruption, self.encoder.network
        assert isinstance(patches, MaskedPatches)
        assert isinstance(network, PatchEncoder)
        hidden = patches.hidden(x)
        shown = patches.shown(hidden)
        features = network.shown_features(x, shown, context)
        code = self._code(features, shown, hidden)
        return ForwardPass(
            x,
            patches.cover(x, hidden),
            context,
            code,
            self.distribution(code.z, context),
            self.prior(context),
            self,
        )

    def _code(self, features: Tensor, shown: Tensor, hidden: Tensor) -> Code:
        """The code, from features of the shown patches [B, n, F]."""
        batch, _, width = features.shape
        index = shown[..., None].expand(-1, -1, width)
        grid = features.new_zeros(batch, hidden.shape[1], width).scatter(1, index, features)
        code: Code = self.encoder.bottleneck(grid.mT.flatten(1), self.samples)
        mask = hidden.reshape(batch, 1, *self.sizes.z[1:])
        token = self.hidden_code.to(code.z.dtype)
        return replace(code, z=torch.where(mask, token, code.z))


def masked(recipe: Recipe, sizes: Sizes) -> MaskedAutoencoder:
    """Builds a masked autoencoder.

    In training, a random part of the patches is hidden. The encoder, a transformer, computes the
    codes of the other patches from these patches only. The decoder, another transformer, receives
    them with one learned code in place of each hidden patch, and gives the complete image.
    Outside training nothing is hidden, and the model is an autoencoder whose codes are feature maps
    [D, h, w].  Source: [he2022]. In the paper, the loss covers the hidden patches only, and the
    decoder is not used after training; here it covers all patches, so that the model reconstructs
    complete images too.

    Raises:
        RecipeError: another network than "transformer" with code=map, another corruption than
            "masked-patches" with patches of the same size, or a bottleneck other than "point".
    """
    config = network_class(recipe.network.kind)(**recipe.network.args)
    if not isinstance(config, Transformer):
        raise RecipeError(
            f'Model "masked" needs network "transformer", and this recipe has '
            f'"{recipe.network.kind}"',
            "Use --set network=transformer.",
        )
    if config.code != "map":
        raise RecipeError(
            'Model "masked" needs a code for each patch, and these codes are vectors',
            "Use --set network.code=map.",
        )
    kind = None if recipe.corruption is None else recipe.corruption.kind
    if kind != MaskedPatches.name:
        raise RecipeError(
            f'Model "masked" needs corruption "{MaskedPatches.name}", and this recipe has '
            + ("none" if kind is None else f'"{kind}"'),
            f"Use --set corruption={MaskedPatches.name}.",
        )
    if recipe.bottleneck.kind != "point":
        raise RecipeError(
            f'Model "masked" needs bottleneck "point", and this recipe has '
            f'"{recipe.bottleneck.kind}"',
            "Use --set bottleneck=point.",
        )
    model = MaskedAutoencoder(recipe, sizes)
    assert isinstance(model.corruption, MaskedPatches)
    if model.corruption.patch != config.patch:
        raise RecipeError(
            f"The network has patches of {config.patch} pixels, and the corruption hides patches "
            f"of {model.corruption.patch}",
            f"Use the same size: --set corruption.patch={config.patch}.",
        )
    return model
