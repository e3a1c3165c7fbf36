"""From a recipe and the sizes of the data to a model that keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import (
    Bottleneck,
    Code,
    Likelihood,
    Network,
    Pass,
    Prior,
    Reconstruction,
    Sizes,
    Space,
)
from autoencode.errors import DataError, RecipeError, ResourceError
from autoencode.models.recipe import Recipe, Spec
from autoencode.parts import SLOTS

# A float32 model, its gradients and Adam's two moments: four numbers for each parameter.
MOST_PARAMETERS = 2**31


class Encoder(nn.Module):
    """Images to codes; works alone.

    `encoder(x)` gives the codes themselves, a VAE's posterior mean.
    """

    def __init__(self, network: nn.Module, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.network, self.bottleneck = network, bottleneck

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Images [B, H, W] or [B, C, H, W] (uint8, or float in [0, 1]) to codes [B, *Z]."""
        return self.code(x, c).z

    def code(self, x: Tensor, c: Tensor | None = None, samples: int | None = None) -> Code:
        """The whole code of images: posterior, costs and all, see `Autoencoder.encode`."""
        code: Code = self.bottleneck(self.network(self.examples(x), c), samples)
        return code

    def examples(self, x: Tensor) -> Tensor:
        """Images in the shape and scale that the network was built for, [B, *X] in [0, 1].

        Raises:
            DataError: images of another size, or integers other than uint8.
        """
        sizes = self.bottleneck.sizes
        alike = {sizes.x, sizes.image, sizes.x[1:] if sizes.x[:1] == (1,) else sizes.x}
        if tuple(x.shape[1:]) not in alike:
            raise DataError(
                f"This model takes examples of shape {_shape(sizes.x)}, "
                f"and these are {_shape(x.shape[1:])}",
                f"Give a batch, (N, {_shape(sizes.x)[1:]}",
            )
        if x.dtype == torch.uint8:
            x = x.float() / 255
        elif not x.is_floating_point():
            raise DataError(
                f"Images must be uint8 (0 to 255) or floats in [0, 1], and these are {x.dtype}",
                "Convert them: x.to(torch.uint8), or x.float() / x.max().",
            )
        return x.reshape(-1, *sizes.x)


class Decoder(nn.Module):
    """Codes to images; works alone.

    `decoder(z)` gives the mean of p(x|z), an image in [0, 1] where the likelihood keeps it there.
    """

    def __init__(self, network: nn.Module, likelihood: Likelihood) -> None:
        super().__init__()
        self.network, self.likelihood = network, likelihood

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Codes [*S, B, *Z] to images [*S, B, *X]."""
        return self.distribution(z, c).mean

    def distribution(self, z: Tensor, c: Tensor | None = None) -> Distribution:
        """Codes [*S, B, *Z] to p(x|z), batch [*S, B], event [*X].

        Raises:
            DataError: codes of another size.
        """
        shape = self.likelihood.sizes.z
        lead = z.shape[: z.dim() - len(shape)]
        if z.dim() <= len(shape) or tuple(z.shape[len(lead) :]) != shape:
            raise DataError(
                f"This model's codes have shape {_shape(shape)}, and these are {_shape(z.shape)}",
                f"Give a batch, (N, {_shape(shape)[1:]}",
            )
        if c is not None:
            c = c.expand(*lead, c.shape[-1]).reshape(-1, c.shape[-1])
        theta = self.network(z.reshape(-1, *shape), c)
        px: Distribution = self.likelihood(theta.reshape(*lead, *theta.shape[1:]))
        return px


class SlotAutoencoder(nn.Module):
    """An autoencoder put together from the parts that a recipe names; keeps the contract."""

    def __init__(self, recipe: Recipe, sizes: Sizes) -> None:
        super().__init__()
        self.recipe, self.sizes = recipe, sizes
        network: Network = SLOTS["network"][recipe.network.kind](**recipe.network.args)
        bottleneck: Bottleneck = part("bottleneck", recipe.bottleneck, sizes)
        likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
        self.space: Space = bottleneck.space
        self.encoder = Encoder(
            network.encoder(sizes, bottleneck.features * sizes.latent), bottleneck
        )
        self.decoder = Decoder(network.decoder(sizes, likelihood.channels), likelihood)
        self.latent_prior: Prior | None = part("prior", recipe.prior, sizes)
        self.samples = recipe.samples or (1 if bottleneck.random else None)

    def encode(self, x: Tensor, c: Tensor | None = None, samples: int | None = None) -> Code:
        """See `Autoencoder.encode`."""
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return self.encoder.code(x, c, samples)

    def decode(self, z: Tensor, c: Tensor | None = None) -> Distribution:
        """See `Autoencoder.decode`."""
        return self.decoder.distribution(z, c)

    def prior(self, c: Tensor | None = None) -> Distribution | None:
        """See `Autoencoder.prior`."""
        return None if self.latent_prior is None else self.latent_prior(c, self.encoder.code)

    def trip(self, x: Tensor, c: Tensor | None = None) -> Pass:
        """See `Autoencoder.trip`; the code is drawn where the bottleneck is random."""
        x = self.encoder.examples(x)
        code = self.encoder.code(x, c, self.samples)
        return Pass(x, x, c, code, self.decode(code.z, c), self.prior(c), self)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Reconstruction:
        """See `Autoencoder.forward`; images come back in the shape of `x`."""
        codes = self.encoder(x, c)
        return Reconstruction(codes, self.decoder(codes, c).reshape(x.shape))


def part(slot: str, spec: Spec | None, sizes: Sizes) -> Any:
    """The part of that name, built for these sizes; None for an empty slot."""
    return None if spec is None else SLOTS[slot][spec.kind](sizes, **spec.args)


def build(
    recipe: Recipe, sizes: Sizes | Mapping[str, Any], *, seed: int | None = None
) -> SlotAutoencoder:
    """A new model with fresh weights; with a `seed`, the same ones each time.

    Torch's global random state is left as it was when a seed is given.

    Raises:
        RecipeError: the parts have no meaning together.
        ResourceError: the model would be too large for any machine that trains it.
    """
    sizes = sizes if isinstance(sizes, Sizes) else Sizes(**sizes)
    check_fit(recipe)
    with torch.device("meta"):
        count = parameter_count(SlotAutoencoder(recipe, sizes))
    if count > MOST_PARAMETERS:
        raise ResourceError(
            f'"{recipe.name}" would have {count:,} parameters for examples of shape '
            f"{_shape(sizes.x)}, {count * 16 / 2**30:,.0f} GiB in training",
            "Give it narrower layers (network.hidden), fewer codes or smaller images.",
        )
    if seed is None:
        return SlotAutoencoder(recipe, sizes)
    with torch.random.fork_rng(devices=[]):
        # Weights are drawn on the processor; torch.manual_seed would reseed accelerators too.
        torch.default_generator.manual_seed(seed)
        return SlotAutoencoder(recipe, sizes)


def parameter_count(model: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(prod(p.shape) for p in model.parameters())


def check_fit(recipe: Recipe) -> None:
    """Refuses parts that have no meaning together, in a sentence with the fix.

    Raises:
        RecipeError: a term without what it needs, or a prior and a posterior on two spaces.
    """
    bottleneck: type[Bottleneck] = SLOTS["bottleneck"][recipe.bottleneck.kind]
    prior: type[Prior] | None = SLOTS["prior"][recipe.prior.kind] if recipe.prior else None
    for name, term in recipe.terms.items():
        needs = SLOTS["terms"][term.kind].needs
        if "posterior" in needs and not bottleneck.random:
            raise RecipeError(
                f'Term "{name}" needs a posterior q(z|x), and bottleneck '
                f'"{recipe.bottleneck.kind}" gives a point',
                f'Use bottleneck "gaussian", or take the term away: --set terms.{name}=none.',
            )
        if "prior" in needs and prior is None:
            raise RecipeError(
                f'Term "{name}" needs a prior p(z), and "{recipe.name}" has none',
                f"Give it one, --set prior=normal, or take the term away: --set terms.{name}=none.",
            )
        if {"posterior", "prior"} <= needs and prior and prior.space != bottleneck.space:
            raise RecipeError(
                f'Term "{name}" is infinite: the posterior lives on '
                f"{bottleneck.space.name} and the prior on {prior.space.name}",
                "Use a bottleneck and a prior on one space.",
            )


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
