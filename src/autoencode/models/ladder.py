"""The ladder VAE: a hierarchy of codes, where each level is the prior of the one below it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import (
    Code,
    Context,
    Corruption,
    Likelihood,
    Network,
    Pass,
    Reconstruction,
    Sampler,
    Sizes,
    Space,
    Width,
)
from autoencode.errors import RecipeError
from autoencode.models.assemble import Decoder, Encoder, features_of, part
from autoencode.models.hierarchy import Ladder, LadderNormal
from autoencode.models.recipe import Recipe
from autoencode.parts.networks import network_class
from autoencode.parts.networks.layers import Activation, Norm


class LadderAutoencoder(nn.Module):
    """A hierarchy z = (z₁, …, z_L) with z₁ nearest the image: p(x|z₁) p(z₁|z₂) … p(z_L).

    The posterior comes down the same ladder, q(z_L|x) … q(z₁|x, z₂). Below the top each factor is
    the product of two normals, what the image says of z_l and what the level above expects of it:
    1/σ² = 1/σ̂² + 1/σₚ², μ = σ² (μ̂/σ̂² + μₚ/σₚ²).

    A code holds all levels from below to above, [B, d₁ + … + d_L]; the image comes of z₁ alone,
    p(x|z) = p(x|z₁), as in the paper. The cost "rate" stands for the term of that name and carries
    its weight: the KL of each level, exact given the drawn levels above it, which is less noisy
    than ln q(z|x) − ln p(z) at the draw. Network and likelihood are the recipe's.
    Source: [sonderby2016].
    """

    # Is it asked which label an example has?
    learns_labels: ClassVar[bool] = False

    def __init__(
        self,
        recipe: Recipe,
        sizes: Sizes,
        levels: tuple[Width, ...] | None = None,
        hidden: tuple[Width, ...] = (256,),
        activation: Activation = "leaky-relu",
        norm: Norm = "batch",
    ) -> None:
        """A model of as many levels as `levels` names.

        levels: numbers on each level from below to above; None: two, the upper a third of all.
        hidden: widths of the dense layers between two levels, on the way up and on the way down.
        norm: of those layers; "batch" keeps the upper levels in use.

        Raises:
            RecipeError: levels that do not sum up to the code, or slots that have no place here.
        """
        super().__init__()
        self.recipe, self.sizes, self.space = recipe, sizes, Space.REAL
        self.levels = _levels(recipe, sizes, levels)
        network: Network = network_class(recipe.network.kind)(**recipe.network.args)
        likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
        lowest = replace(sizes, z=self.levels[:1])
        width = hidden[-1] if hidden else max(self.levels)
        ladder = Ladder(sizes, self.levels, (width, *hidden), activation, norm)
        self.context: Context | None = part("context", recipe.context, sizes)
        self.encoder = Encoder(network.encoder(sizes, width), ladder, self.context)
        self.decoder = Decoder(
            Lowest(network.decoder(lowest, likelihood.channels), self.levels[0]),
            likelihood,
            self.context,
        )
        self.corruption: Corruption | None = part("corruption", recipe.corruption, sizes)
        self.latent_sampler: Sampler | None = part("sampler", recipe.sampler, sizes)

    def encode(self, x: Tensor, c: Tensor | None = None, samples: int | None = None) -> Code:
        """See `Autoencoder.encode`; without samples each level is at its mean given the one above.

        The posterior has `log_prob` and `rsample`, and no moments in closed form.
        """
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return self.encoder.code(x, c, samples)

    def decode(self, z: Tensor, c: Tensor | None = None) -> Distribution:
        """See `Autoencoder.decode`; only the lowest level of `z` is looked at."""
        return self.decoder.distribution(z, c)

    def prior(self, c: Tensor | None = None) -> Distribution:
        """See `Autoencoder.prior`: drawn from the top down, with `log_prob` over all levels."""
        ladder = self.encoder.bottleneck
        assert isinstance(ladder, Ladder)
        return LadderNormal(ladder.down)

    def sampler(self) -> Distribution:
        """See `Autoencoder.sampler`."""
        if self.latent_sampler is None:
            return self.prior()
        fitted: Distribution = self.latent_sampler()
        return fitted

    def trip(self, x: Tensor, c: Tensor | None = None) -> Pass:
        """See `Autoencoder.trip`."""
        x = self.encoder.examples(x)
        c = features_of(self.context, c)
        seen = x if self.corruption is None else self.corruption(x)
        code = self.encoder.code(seen, c, self.recipe.samples or 1)
        return Pass(x, seen, c, code, self.decode(code.z, c), self.prior(c), self)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Reconstruction:
        """See `Autoencoder.forward`; images come back in the shape of `x`."""
        codes = self.encoder(x, c)
        return Reconstruction(codes, self.decoder(codes, c).reshape(x.shape))


class Lowest(nn.Module):
    """A decoder's network on the lowest level of a code."""

    def __init__(self, network: nn.Module, d: int) -> None:
        super().__init__()
        self.network, self.d = network, d

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Codes of all levels [B, d₁ + … + d_L] to [B, channels, *X]."""
        out: Tensor = self.network(z[:, : self.d], c)
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
