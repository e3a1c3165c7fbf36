"""Hierarchical VAEs of images: residual blocks, and codes at several resolutions."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from autoencode.contract import ForwardPass, Likelihood, Sizes
from autoencode.errors import RecipeError
from autoencode.models.assemble import Decoder, Encoder, SlotAutoencoder, part
from autoencode.models.hierarchy import LadderPrior
from autoencode.models.ladder import check_normal
from autoencode.models.recipe import Recipe
from autoencode.models.topdown import BottomUp, ImageLevels, ImageTopDown, TopDownDecoder
from autoencode.parts.networks import network_class
from autoencode.parts.networks.images import Map
from autoencode.parts.networks.resnet import ResNet


class HierarchicalAutoencoder(SlotAutoencoder):
    """A hierarchical VAE; in a training pass, posterior and decoder share one top-down pass."""

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`."""
        x = self.encoder.examples(x)
        inputs = x if self.corruption is None else self.corruption(x)
        bottleneck, network = self.encoder.bottleneck, self.decoder.network
        assert isinstance(bottleneck, ImageLevels)
        assert isinstance(network, TopDownDecoder)
        code, state = bottleneck.with_state(self.encoder.network(inputs), self.samples)
        theta = network.image(state)
        px = self.decoder.likelihood(theta.reshape(*code.z.shape[:-1], *theta.shape[1:]))
        return ForwardPass(x, inputs, context, code, px, self.prior(), self)


def hierarchical(recipe: Recipe, sizes: Sizes) -> HierarchicalAutoencoder:
    """Builds a hierarchical VAE with levels z₁, …, z_L from the coarsest resolution to the finest.

    p(x|z₁, …, z_L) ∏ p(z_l|z₁, …, z_{l−1}), and the posterior ∏ q(z_l|x, z₁, …, z_{l−1}) is
    computed in the same order: a top-down network of residual blocks passes on a state, to which
    each level adds its code. At each level, a 3×3 convolution gives the normal prior from the
    state, and another the normal posterior from the state and the feature map of the image; its
    mean is relative to that of the prior, as in [vahdat2020]. The network of the recipe is
    "resnet": `width`, `stages`, `blocks`, `norm` and `activation` are used, and there are no dense
    layers. Each resolution has `blocks` levels, each with `latent` channels.

    A code contains all levels, [B, d₁ + … + d_L] with d_l = latent · height · width. The cost "kl"
    replaces the term of that name: the sum of the closed-form KL of each level given the sampled
    levels above.  Source: [sonderby2016], [vahdat2020], [child2021].

    Raises:
        RecipeError: vectors, another network than "resnet", a bottleneck or prior that is not
            normal, a context, or sizes of a code that are not those of these maps.
    """
    config, maps = _maps(recipe, sizes)
    check_normal("hierarchical", recipe)
    if recipe.context is not None:
        raise RecipeError(
            f'Model "hierarchical" takes no context, and this recipe has "{recipe.context.kind}"',
            "Use --set context=none.",
        )
    d = _dimensions(recipe, config, maps)
    if sizes.z != (d,):
        raise RecipeError(
            f"The levels of a hierarchical model have {d:,} dimensions for these images, and "
            f"sizes.z is {sizes.z}",
            "Use `sizes_for` of models.build, which computes the shape.",
        )
    likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
    down = ImageTopDown(config, maps, recipe.latent)
    bottleneck = ImageLevels(sizes, config, maps, down)
    encoder = Encoder(BottomUp(config, maps), bottleneck)
    network = TopDownDecoder(down, maps, sizes, likelihood.channels)
    decoder = Decoder(network, likelihood)
    return HierarchicalAutoencoder(recipe, sizes, encoder, decoder, LadderPrior(sizes, down))


def hierarchical_sizes(recipe: Recipe, sizes: Sizes) -> Sizes:
    """The sizes with the shape of a code of all levels, [d₁ + … + d_L].

    Raises:
        RecipeError: vectors, or another network than "resnet".
    """
    return replace(sizes, z=(_dimensions(recipe, *_maps(recipe, sizes)),))


def _maps(recipe: Recipe, sizes: Sizes) -> tuple[ResNet, list[Map]]:
    config = network_class(recipe.network.kind)(**recipe.network.args)
    if not isinstance(config, ResNet):
        raise RecipeError(
            f'Model "hierarchical" needs network "resnet", and this recipe has '
            f'"{recipe.network.kind}"',
            "Use --set network=resnet.",
        )
    return config, config.maps(sizes)


def _dimensions(recipe: Recipe, config: ResNet, maps: list[Map]) -> int:
    return sum(recipe.latent * high * wide for _, high, wide in maps[1:]) * config.blocks
