"""Masked autoencoders: the encoder sees some patches of an image, and the decoder restores all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import DataError, RecipeError
from autoencode.models.assemble import SlotAutoencoder, assemble, context_features
from autoencode.models.inputs import example_inputs, gradients
from autoencode.models.recipe import Recipe
from autoencode.parts.corruptions import MaskedPatches, indices_shown
from autoencode.parts.networks import network_class
from autoencode.parts.networks.transformer import PatchEncoder, Transformer, to_patches

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

    def restore(self, x: Any, hidden: Any, context: Any = None) -> Tensor:
        """Images whose hidden pixels are computed from the others, [B, *X]; the others stay.

        x: images [B, *X], as `model(x)` takes them; hidden pixels may have any value but NaN.
        hidden: which pixels are hidden, True or False, [B, H, W], or [H, W] for all images alike. A
            patch with a hidden pixel is not seen by the encoder.
        context: labels or vectors for a conditional model.

        Raises:
            DataError: another shape, no booleans, or all patches of an image are hidden; and as
                `model(x)`.

        >>> import autoencode as ae
        >>> model = ae.fit("masked-ae", "digits", steps=5).model
        >>> hidden = torch.zeros(8, 8, dtype=torch.bool)
        >>> hidden[:4] = True
        >>> model.restore(torch.rand(3, 8, 8), hidden).shape
        torch.Size([3, 8, 8])
        """
        x, features = example_inputs(
            self, self.sizes, x, context, preprocessing=self.preprocessing, missing=False
        )
        x = self.encoder.examples(x)
        pixels = _pixels(hidden, self.sizes, x)
        network = self.encoder.network
        assert isinstance(network, PatchEncoder)
        patches = to_patches(pixels[:, None].to(x.dtype), network.patch).any(-1)
        counts = patches.sum(1)
        if (counts == patches.shape[1]).any():
            at = int((counts == patches.shape[1]).nonzero()[0])
            raise DataError(
                f"All {patches.shape[1]} patches of image {at} have a hidden pixel, so nothing "
                "of it is known",
                "Leave out this image, or hide fewer pixels.",
            )
        restored = torch.empty_like(x)
        with gradients(self, x, features):
            given = context_features(self.context, features)
            for count in torch.unique(counts).tolist():  # as many tokens in each image of a batch
                rows = (counts == count).nonzero().flatten()
                images, mask = x[rows], patches[rows]
                about = None if given is None else given[rows]
                shown = indices_shown(mask, mask.shape[1] - count)
                code = self._code(network.shown_features(images, shown, about), shown, mask)
                restored[rows] = self.distribution(code.z, about).mean.to(x.dtype)
        where = pixels if x.dim() == 3 else pixels[:, None]
        return torch.where(where, restored, x)

    def _code(self, features: Tensor, shown: Tensor, hidden: Tensor) -> Code:
        """The code, from features of the shown patches [B, n, F]."""
        batch, _, width = features.shape
        index = shown[..., None].expand(-1, -1, width)
        grid = features.new_zeros(batch, hidden.shape[1], width).scatter(1, index, features)
        code: Code = self.encoder.bottleneck(grid.mT.flatten(1), self.samples)
        mask = hidden.reshape(batch, 1, *self.sizes.z[1:])
        token = self.hidden_code.to(code.z.dtype)
        return replace(code, z=torch.where(mask, token, code.z))


def needs_mask(recipe: Recipe) -> bool:
    """Whether a recipe's model restores images only with a mask of their hidden pixels."""
    return recipe.model.kind == "masked"


def _pixels(hidden: Any, sizes: Sizes, x: Tensor) -> Tensor:
    """Which pixels of the images x are hidden, [B, H, W].

    Raises:
        DataError: another shape, or no booleans.
    """
    try:
        mask = torch.as_tensor(hidden, device=x.device)
    except (TypeError, ValueError, RuntimeError):
        mask = torch.empty(0)
    assert sizes.image is not None  # of a transformer
    size = sizes.image[1:]
    if mask.dtype != torch.bool or tuple(mask.shape) not in (size, (len(x), *size)):
        raise DataError(
            f"Hidden pixels of {len(x)} images of {size[0]}×{size[1]} pixels are booleans of shape "
            f"{(len(x), *size)} or {size}, and these are {str(mask.dtype).removeprefix('torch.')} "
            f"of shape {tuple(mask.shape)}",
            "Give True where a pixel is hidden: model.restore(x, mask > 0).",
        )
    return mask.expand(len(x), *size)


def masked(recipe: Recipe, sizes: Sizes) -> MaskedAutoencoder:
    """Builds a masked autoencoder.

    In training, a random part of the patches is hidden. The encoder, a transformer, computes the
    codes of the other patches from these patches only. The decoder, another transformer, receives
    them with one learned code in place of each hidden patch, and gives the complete image.
    Outside training nothing is hidden, and the model is an autoencoder whose codes are feature maps
    [D, h, w]; `restore` fills in the pixels that a mask marks as hidden.
    Source: [he2022]. In the paper, the loss covers the hidden patches only, and the decoder is not
    used after training; here it covers all patches, so that the model reconstructs complete images
    too.

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
