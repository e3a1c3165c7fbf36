"""The ladder VAE: a hierarchy of codes, where each level is the prior of the one below it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from autoencode.contract import Context, Likelihood, Network, Sizes, Width
from autoencode.errors import RecipeError
from autoencode.models.assemble import Decoder, Encoder, SlotAutoencoder, part
from autoencode.models.hierarchy import LadderBottleneck, LadderPrior
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
    """A hierarchy z = (z₁, …, z_L) with z₁ nearest the image: p(x|z₁) p(z₁|z₂) … p(z_L).

    The posterior comes down the same ladder, q(z_L|x) … q(z₁|x, z₂). Below the top each factor is
    the product of two normals, what the image says of z_l and what the level above expects of it:
    1/σ² = 1/σ̂² + 1/σₚ², μ = σ² (μ̂/σ̂² + μₚ/σₚ²).

    A code holds all levels from below to above, [B, d₁ + … + d_L]; the image comes of z₁ alone,
    p(x|z) = p(x|z₁), as in the paper. The cost "kl" stands for the term of that name and carries
    its weight: the KL of each level, exact given the drawn levels above it, which is less noisy
    than ln q(z|x) − ln p(z) at the draw. Network and likelihood are the recipe's.
    Source: [sonderby2016].

    levels: numbers on each level from below to above; None: two, the upper a third of all.
    hidden: widths of the dense layers between two levels, on the way up and on the way down.
    norm: of those layers; "batch" keeps the upper levels in use.

    Raises:
        RecipeError: levels that do not sum up to the code, or slots that have no place here.
    """
    levels = _levels(recipe, sizes, levels)
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
    context: Context | None = part("context", recipe.context, sizes)
    width = hidden[-1] if hidden else max(levels)
    bottleneck = LadderBottleneck(sizes, levels, (width, *hidden), activation, norm)
    encoder = Encoder(network.encoder(sizes, width), bottleneck, context)
    lowest = network.decoder(replace(sizes, z=levels[:1]), likelihood.channels)
    decoder = Decoder(LowestLevelDecoder(lowest, levels[0]), likelihood, context)
    return SlotAutoencoder(recipe, sizes, encoder, decoder, LadderPrior(sizes, bottleneck.down))


class LowestLevelDecoder(nn.Module):
    """A decoder's network on the lowest level of a code."""

    def __init__(self, network: nn.Module, d: int) -> None:
        super().__init__()
        self.network, self.d = network, d

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Codes of all levels [B, d₁ + … + d_L] to [B, channels, *X]."""
        out: Tensor = self.network(z[:, : self.d], context)
        return out


def _levels(recipe: Recipe, sizes: Sizes, levels: tuple[int, ...] | None) -> tuple[int, ...]:
    for slot, only in (("bottleneck", "gaussian"), ("prior", "normal")):
        spec = getattr(recipe, slot)
        if spec is None or spec.kind != only:
            raise RecipeError(
                f"A ladder has normals of its own on every level, and {slot} "
                f'"{"none" if spec is None else spec.kind}" has no place in it',
                f'Leave it at {slot} "{only}".',
            )
    if levels is None:
        upper = (sizes.latent + 1) // 3
        return (sizes.latent - upper, upper) if upper else (sizes.latent,)
    if sum(levels) != sizes.latent or not levels:
        raise RecipeError(
            f"The levels {tuple(levels)} hold {sum(levels)} numbers, and the code {sizes.latent}",
            f"Give both alike: --latent {sum(levels) or 2}, or other levels.",
        )
    return tuple(levels)
