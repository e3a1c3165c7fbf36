"""From a recipe and the sizes of the data to a model that keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import nn

from autoencode.contract import Bottleneck, Likelihood, Network, Prior, Sampler, Sizes, Space
from autoencode.errors import RecipeError, ResourceError, did_you_mean
from autoencode.models.arguments import check_arguments, value
from autoencode.models.assemble import SlotAutoencoder, assemble, part, shape_words
from autoencode.models.ladder import ladder
from autoencode.models.recipe import Recipe
from autoencode.models.semisupervised import SemiSupervised
from autoencode.models.stacked import StackedSemiSupervised
from autoencode.parts import SLOTS
from autoencode.parts.networks import network_class
from autoencode.parts.networks.custom import is_custom
from autoencode.parts.networks.maps import MapNetwork
from autoencode.parts.networks.network_check import check_network

# A float32 model, its gradients and Adam's two moments: four numbers for each parameter.
MAX_PARAMETERS = 2**31
Model = SlotAutoencoder | SemiSupervised | StackedSemiSupervised
# How the parts of a recipe are put together; the signatures after the sizes are configurations.
MODELS: Mapping[str, Callable[..., Model]] = {
    "slots": assemble,
    "semi-supervised": SemiSupervised,
    "m1-m2": StackedSemiSupervised,
    "ladder": ladder,
}


def build(recipe: Recipe, sizes: Sizes | Mapping[str, Any], *, seed: int | None = None) -> Model:
    """A new model with fresh weights; with a `seed`, the same ones each time.

    Torch's global random state is left as it was when a seed is given.

    Raises:
        RecipeError: the parts have no meaning together.
        ResourceError: the model would be too large for any machine that trains it.
    """
    sizes = sizes if isinstance(sizes, Sizes) else Sizes(**sizes)
    check_fit(recipe)
    if is_custom(recipe.network.kind):
        _try_own(recipe, sizes)
        count = 0  # code of the user's own need not work without numbers
    else:
        with torch.device("meta"):
            count = parameter_count(_made(recipe, sizes))
    if count > MAX_PARAMETERS:
        raise ResourceError(
            f'"{recipe.name}" would have {count:,} parameters for examples of shape '
            f"{shape_words(sizes.x)}, {count * 16 / 2**30:,.0f} GiB in training",
            "Give it narrower layers (network.hidden), fewer codes or smaller images.",
        )
    if seed is None:
        return _made(recipe, sizes)
    with torch.random.fork_rng(devices=[]):
        # Weights are drawn on the processor; torch.manual_seed would reseed accelerators too.
        torch.default_generator.manual_seed(seed)
        return _made(recipe, sizes)


def sizes_for(recipe: Recipe, x: tuple[int, ...], **facts: Any) -> Sizes:
    """The sizes of a recipe's model for examples of shape `x`; `facts` are the rest of `Sizes`.

    Raises:
        RecipeError: the recipe's network makes nothing of such examples, or a code that is a map
            where the model has use for vectors only.
    """
    sizes = Sizes(x, (recipe.latent,), **facts)
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    if not isinstance(network, MapNetwork) or network.code == "vector":
        return sizes
    takes_maps = assembly(recipe) in (assemble, SemiSupervised)
    if not takes_maps or not _bottleneck(recipe).maps:
        what = f'Bottleneck "{recipe.bottleneck.kind}"' if takes_maps else "This model"
        raise RecipeError(
            f"{what} makes codes that are vectors, and those of the network are to be maps",
            "Leave them vectors: --set network.code=vector.",
        )
    return replace(sizes, z=network.code_shape(sizes))


def parameter_count(model: nn.Module) -> int:
    """How many numbers training can change."""
    return sum(prod(p.shape) for p in model.parameters())


def learns_labels(recipe: Recipe) -> bool:
    """Is the model of a recipe asked which label an example has?"""
    return assembly(recipe) in (SemiSupervised, StackedSemiSupervised)


def assembly(recipe: Recipe) -> Callable[..., Model]:
    """What puts the parts of a recipe together.

    Raises:
        RecipeError: there is no such model.
    """
    kind = recipe.model.kind
    if kind not in MODELS:
        raise RecipeError(f'There is no model "{kind}"', did_you_mean(kind, MODELS))
    return MODELS[kind]


def batch_norms(recipe: Recipe) -> list[str]:
    """The addresses at which a recipe asks for batch normalisation, such as "network.norm"."""
    norms = {"model": value(assembly(recipe), recipe.model.args, "norm")}
    norms |= {slot: value(kind, spec.args, "norm") for slot, spec, kind in recipe.parts()}
    return [f"{slot}.norm" for slot, norm in norms.items() if norm == "batch"]


def check_fit(recipe: Recipe) -> None:
    """Refuses parts that have no meaning together, in a sentence with the fix.

    Raises:
        RecipeError: a term without what it needs, or a prior and a posterior on two spaces.
    """
    check_arguments(assembly(recipe), recipe.model.args, "model")
    for name in recipe.terms:
        _check_term(recipe, name)
    if recipe.sampler is not None:
        sampler: type[Sampler] = SLOTS["sampler"][recipe.sampler.kind]
        discrete = _bottleneck(recipe).space is Space.CODES
        if sampler.discrete != discrete:
            kind, codes = ("discrete", "numbers") if sampler.discrete else ("real", "a code book's")
            raise RecipeError(
                f'Sampler "{recipe.sampler.kind}" is for {kind} codes, and those of bottleneck '
                f'"{recipe.bottleneck.kind}" are {codes}',
                f"Use sampler {'mixture' if sampler.discrete else 'autoregressive'}.",
            )


def _made(recipe: Recipe, sizes: Sizes) -> Model:
    return MODELS[recipe.model.kind](recipe, sizes, **recipe.model.args)


def _try_own(recipe: Recipe, sizes: Sizes) -> None:
    likelihood: type[Likelihood] = SLOTS["likelihood"][recipe.likelihood.kind]
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    bottleneck: Bottleneck = part("bottleneck", recipe.bottleneck, sizes)
    features = bottleneck.features * sizes.latent
    check_network(network, sizes, features, likelihood.channels)


def _bottleneck(recipe: Recipe) -> type[Bottleneck]:
    kind: type[Bottleneck] = SLOTS["bottleneck"][recipe.bottleneck.kind]
    return kind


def _check_term(recipe: Recipe, name: str) -> None:
    needs = SLOTS["terms"][recipe.terms[name].kind].needs
    bottleneck = _bottleneck(recipe)
    prior: type[Prior] | None = SLOTS["prior"][recipe.prior.kind] if recipe.prior else None
    away = f"or take the term away: --set terms.{name}=none."
    if "posterior" in needs and not bottleneck.random:
        raise RecipeError(
            f'Term "{name}" needs a posterior q(z|x), and bottleneck '
            f'"{recipe.bottleneck.kind}" gives a point',
            f'Use bottleneck "gaussian", {away}',
        )
    if "normal-posterior" in needs and not bottleneck.normal:
        raise RecipeError(
            f'Term "{name}" needs a normal posterior, and that of bottleneck '
            f'"{recipe.bottleneck.kind}" is none',
            f'Use bottleneck "gaussian", {away}',
        )
    if "mixture-prior" in needs and not (prior and prior.clustered):
        raise RecipeError(
            f'Term "{name}" needs a prior with clusters',
            f"Give it one, --set prior=mixture, {away}",
        )
    if "samples" in needs and (recipe.samples or 1) < 2:
        raise RecipeError(
            f'Term "{name}" needs several codes for each example, and "{recipe.name}" draws one',
            "Draw more: --set samples=8.",
        )
    if "prior" in needs and prior is None:
        raise RecipeError(
            f'Term "{name}" needs a prior p(z), and "{recipe.name}" has none',
            f"Give it one, --set prior=normal, {away}",
        )
    if "prior" in needs and prior and prior.space != bottleneck.space:
        codes = "the posterior lives" if "posterior" in needs else "codes live"
        raise RecipeError(
            f'Term "{name}" is infinite: {codes} on {bottleneck.space.name} '
            f"({recipe.bottleneck.kind}) and the prior on {prior.space.name} "
            f"({recipe.prior.kind if recipe.prior else ''})",
            _on_one_space(bottleneck, prior),
        )


def _on_one_space(bottleneck: type[Bottleneck], prior: type[Prior]) -> str:
    """The bottlenecks that would fit the prior, and the priors that would fit the bottleneck."""

    def named(slot: str, wanted: Space, like: bool | None = None) -> str:
        table = SLOTS[slot].items()
        fit = [
            name
            for name, kind in table
            if kind.space is wanted and (like is None or kind.random == like)
        ]
        return ", ".join(fit) or "none"

    return (
        f"Use a bottleneck on {prior.space.name}: "
        f"{named('bottleneck', prior.space, bottleneck.random)}; "
        f"or a prior on {bottleneck.space.name}: {named('prior', bottleneck.space)}."
    )
