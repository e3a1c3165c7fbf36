"""The ladder VAE: a hierarchy of codes in which each level is the prior of the level below."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from autoencode.contract import Context, Likelihood, Network, Sizes, Width
from autoencode.errors import RecipeError
from autoencode.models.assemble import Decoder, Encoder, SlotAutoencoder, part
from autoencode.models.hierarchy import LadderBottleneck, LadderPrior
from autoencode.models.linear_checks import refuse_linear
from autoencode.models.recipe import Recipe
from autoencode.parts.networks import network_class
from autoencode.parts.networks.layers import Activation, Norm


def ladder(
    recipe: Recipe,
    sizes: Sizes,
    levels: tuple[Width, ...] | None = None,
    hidden: tuple[Width, ...] = (256,),
    activation: Activation = "leaky-relu",
    norm: Norm = "batch",
) -> SlotAutoencoder:
    """Builds a ladder VAE with levels z = (z₁, …, z_L): p(x|z₁) p(z₁|z₂) … p(z_L).

    The posterior is computed from the top down, q(z_L|x) … q(z₁|x, z₂). Below the top, each factor
    is proportional to the product of two normals, the bottom-up estimate (μ̂, σ̂) from the image and
    the prior (μₚ, σₚ) from the level above: 1/σ² = 1/σ̂² + 1/σₚ², μ = σ² (μ̂/σ̂² + μₚ/σₚ²).

    A code contains all levels from the lowest to the highest, [B, d₁ + … + d_L]; the image depends
    on z₁ only, as in the paper. The cost "kl" replaces the term of that name and has its weight: it
    is the sum of the closed-form KL of each level given the sampled levels above, which has less
    variance than ln q(z|x) − ln p(z). Network and likelihood come from the recipe.
    Source: [sonderby2016].

    levels: dimensions of each level, the lowest first; None for two, the upper a third of all.
    hidden: widths of the dense layers between two levels, bottom-up and top-down.
    norm: normalisation of these layers; "batch" helps to keep the upper levels active.

    Raises:
        RecipeError: levels that do not sum to the latent size, or an incompatible part.
    """
    levels = _levels(recipe, sizes, levels)
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
    context: Context | None = part("context", recipe.context, sizes)
    width = hidden[-1] if hidden else max(levels)
    bottleneck = LadderBottleneck(sizes, levels, (width, *hidden), activation, norm)
    refuse_linear(recipe, bottleneck, likelihood)
    encoder = Encoder(network.encoder(sizes, width), bottleneck, context)
    lowest = network.decoder(replace(sizes, z=levels[:1]), likelihood.channels)
    decoder = Decoder(LowestLevelDecoder(lowest, levels[0]), likelihood, context)
    return SlotAutoencoder(recipe, sizes, encoder, decoder, LadderPrior(sizes, bottleneck.down))


class LowestLevelDecoder(nn.Module):
    """Decoder network whose input is the lowest level of a code."""

    def __init__(self, network: nn.Module, d: int) -> None:
        super().__init__()
        self.network, self.d = network, d

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Decodes codes of all levels [B, d₁ + … + d_L] to [B, channels, *X]."""
        out: Tensor = self.network(z[:, : self.d], context)
        return out


def _levels(recipe: Recipe, sizes: Sizes, levels: tuple[int, ...] | None) -> tuple[int, ...]:
    check_normal("ladder", recipe)
    if levels is None:
        upper = (sizes.latent + 1) // 3
        return (sizes.latent - upper, upper) if upper else (sizes.latent,)
    if sum(levels) != sizes.latent or not levels:
        raise RecipeError(
            f"The levels {tuple(levels)} have {sum(levels)} dimensions in all, and latent is "
            f"{sizes.latent}",
            f"Use --latent {sum(levels) or 2} (latent={sum(levels) or 2}), or other levels.",
        )
    return tuple(levels)


def check_normal(model: str, recipe: Recipe) -> None:
    """Checks that bottleneck and prior are normal, as a model of several levels needs them.

    Raises:
        RecipeError: the recipe has another bottleneck or prior.
    """
    for slot, only in (("bottleneck", "gaussian"), ("prior", "normal")):
        spec = getattr(recipe, slot)
        if spec is None or spec.kind != only:
            raise RecipeError(
                f'Model "{model}" needs {slot} "{only}", and this recipe has '
                f'"{"none" if spec is None else spec.kind}"',
                f"Use --set {slot}={only}.",
            )
