"""Builds the model of a recipe for the sizes of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import nn

from autoencode.arguments import argument_value, check_arguments
from autoencode.contract import Bottleneck, Likelihood, Network, Prior, Sampler, Sizes, Space
from autoencode.errors import RecipeError, ResourceError, did_you_mean
from autoencode.models.assemble import SlotAutoencoder, assemble, part, shape_words
from autoencode.models.default_likelihood import AUTO, BINARY
from autoencode.models.hierarchical import hierarchical, hierarchical_sizes
from autoencode.models.ladder import ladder
from autoencode.models.masked import masked
from autoencode.models.recipe import Recipe
from autoencode.models.semisupervised import SemiSupervised
from autoencode.models.stacked import StackedSemiSupervised
from autoencode.parts import SLOTS
from autoencode.parts.networks import network_class
from autoencode.parts.networks.custom import is_custom
from autoencode.parts.networks.images import ImageNetwork
from autoencode.parts.networks.network_check import check_network

# Training needs 16 bytes per parameter: weight, gradient and two moments of Adam in float32.
MAX_PARAMETERS = 2**31
Model = SlotAutoencoder | SemiSupervised | StackedSemiSupervised
# Name in recipes -> builder; its arguments after `recipe` and `sizes` are its configuration.
MODELS: Mapping[str, Callable[..., Model]] = {
    "slots": assemble,
    "semi-supervised": SemiSupervised,
    "m1-m2": StackedSemiSupervised,
    "ladder": ladder,
    "hierarchical": hierarchical,
    "masked": masked,
}


def build(recipe: Recipe, sizes: Sizes | Mapping[str, Any], *, seed: int | None = None) -> Model:
    """Builds a model with random initial weights, which are reproducible if `seed` is given.

    recipe: a recipe of the table, or one of your own.
    sizes: the shapes of examples and codes.
    seed: of the initial weights; None draws them from torch's global generator.

    Torch's global random state is not changed if a seed is given. The likelihood "auto", which
    training replaces by one for its data, becomes "bernoulli".

    Raises:
        RecipeError: the parts have no meaning together.
        ResourceError: the model would be too large for any machine that trains it.

    >>> import autoencode as ae
    >>> model = ae.build(ae.RECIPES["ae"], ae.Sizes((8, 8), (2,)), seed=0)
    >>> codes, images = model(torch.zeros(5, 8, 8))
    >>> codes.shape, images.shape
    (torch.Size([5, 2]), torch.Size([5, 8, 8]))
    """
    sizes = sizes if isinstance(sizes, Sizes) else Sizes(**sizes)
    if build_skeleton(recipe, sizes) is None:
        _check_custom(recipe, sizes)
    if seed is None:
        return _assembled(recipe, sizes)
    with torch.random.fork_rng(devices=[]):
        # Weights are initialised on the CPU; torch.manual_seed would seed accelerators too.
        torch.default_generator.manual_seed(seed)
        return _assembled(recipe, sizes)


def build_skeleton(recipe: Recipe, sizes: Sizes) -> Model | None:
    """The model of a recipe without memory for its weights, for their names and shapes.

    None for a custom network, which may not support the device "meta".

    Raises:
        RecipeError, ResourceError: as `build`.
    """
    check_fit(recipe)
    if is_custom(recipe.network.kind):
        return None
    with torch.device("meta"):
        skeleton = _assembled(recipe, sizes)
    if (count := parameter_count(skeleton)) > MAX_PARAMETERS:
        raise ResourceError(
            f'"{recipe.name}" would have {count:,} parameters for examples of shape '
            f"{shape_words(sizes.x)}, {count * 16 / 2**30:,.0f} GiB in training",
            "Give it narrower layers (network.hidden), fewer codes or smaller images.",
        )
    return skeleton


def sizes_for(recipe: Recipe, x: tuple[int, ...], **facts: Any) -> Sizes:
    """The sizes of a recipe's model for examples of shape `x`; `facts` are other fields of `Sizes`.

    Raises:
        RecipeError: the network does not support such examples, or its codes are feature maps and
            the bottleneck or the model supports vectors only.
    """
    sizes = Sizes(x, (recipe.latent,), **facts)
    if assembly(recipe) is hierarchical:
        return hierarchical_sizes(recipe, sizes)
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    if not isinstance(network, ImageNetwork) or network.code == "vector":
        return sizes
    takes_maps = assembly(recipe) in (assemble, SemiSupervised, masked)
    if not takes_maps or not _bottleneck(recipe).maps:
        what = f'Bottleneck "{recipe.bottleneck.kind}"' if takes_maps else "This model"
        raise RecipeError(
            f"{what} needs codes that are vectors, and this network gives feature maps",
            "Use vectors: --set network.code=vector.",
        )
    return replace(sizes, z=network.code_shape(sizes))


def parameter_count(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(prod(p.shape) for p in model.parameters())


def learns_labels(recipe: Recipe) -> bool:
    """Whether the model of a recipe learns to predict labels."""
    return assembly(recipe) in (SemiSupervised, StackedSemiSupervised)


def assembly(recipe: Recipe) -> Callable[..., Model]:
    """The builder of a recipe's model.

    Raises:
        RecipeError: there is no such model.
    """
    kind = recipe.model.kind
    if kind not in MODELS:
        raise RecipeError(f'There is no model "{kind}"', did_you_mean(kind, MODELS))
    return MODELS[kind]


def batch_norms(recipe: Recipe) -> list[str]:
    """Dotted names of the arguments that enable batch normalisation, such as "network.norm"."""
    norms = {"model": argument_value(assembly(recipe), recipe.model.args, "norm")}
    norms |= {slot: argument_value(kind, spec.args, "norm") for slot, spec, kind in recipe.parts()}
    return [f"{slot}.norm" for slot, norm in norms.items() if norm == "batch"]


def check_fit(recipe: Recipe) -> None:
    """Checks that the parts of a recipe are compatible.

    Raises:
        RecipeError: the model lacks what a term needs, or prior and posterior have different
            latent spaces, or the sampler does not fit the codes.
    """
    check_arguments(assembly(recipe), recipe.model.args, "model")
    for name in recipe.terms:
        _check_term(recipe, name)
    if recipe.sampler is not None:
        sampler: type[Sampler] = SLOTS["sampler"][recipe.sampler.kind]
        discrete = _bottleneck(recipe).space is Space.CODES
        if sampler.discrete != discrete:
            needed, actual = ("discrete", "continuous")[:: 1 if sampler.discrete else -1]
            raise RecipeError(
                f'Sampler "{recipe.sampler.kind}" needs {needed} codes, and those of bottleneck '
                f'"{recipe.bottleneck.kind}" are {actual}',
                f"Use sampler {'mixture' if sampler.discrete else 'autoregressive'}.",
            )


def _assembled(recipe: Recipe, sizes: Sizes) -> Model:
    if recipe.likelihood.kind == AUTO:  # without data there is nothing to choose by
        recipe = recipe.but(likelihood=BINARY)
    return MODELS[recipe.model.kind](recipe, sizes, **recipe.model.args)


def _check_custom(recipe: Recipe, sizes: Sizes) -> None:
    likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
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
    removal = f"or remove the term: --set terms.{name}=none."
    if "posterior" in needs and not bottleneck.random:
        raise RecipeError(
            f'Term "{name}" needs a posterior q(z|x), and bottleneck '
            f'"{recipe.bottleneck.kind}" is deterministic',
            f'Use bottleneck "gaussian", {removal}',
        )
    if "normal-posterior" in needs and not bottleneck.normal:
        raise RecipeError(
            f'Term "{name}" needs a normal posterior, and bottleneck '
            f'"{recipe.bottleneck.kind}" has another one',
            f'Use bottleneck "gaussian", {removal}',
        )
    if "mixture-prior" in needs and not (prior and prior.clustered):
        raise RecipeError(
            f'Term "{name}" needs a mixture prior',
            f"Give it one, --set prior=mixture, {removal}",
        )
    if "features" in needs and not bottleneck.sparse:
        raise RecipeError(
            f'Term "{name}" needs a sparse bottleneck, and "{recipe.bottleneck.kind}" is none',
            f'Use bottleneck "top-k", {removal}',
        )
    if "active" in needs and not bottleneck.counted:
        raise RecipeError(
            f'Term "{name}" needs a bottleneck with gates or learned thresholds, and '
            f'"{recipe.bottleneck.kind}" has none',
            f'Use bottleneck "gated", {removal}',
        )
    if "thresholds" in needs and not bottleneck.thresholds:
        raise RecipeError(
            f'Term "{name}" needs a bottleneck with learned thresholds, and '
            f'"{recipe.bottleneck.kind}" has none',
            f'Use bottleneck "jump-relu", {removal}',
        )
    if "samples" in needs and (recipe.samples or 1) < 2:
        raise RecipeError(
            f'Term "{name}" needs several samples per example, and "{recipe.name}" uses one',
            "Use more: --set samples=8.",
        )
    if "prior" in needs and prior is None:
        raise RecipeError(
            f'Term "{name}" needs a prior p(z), and "{recipe.name}" has none',
            f"Give it one, --set prior=normal, {removal}",
        )
    if "prior" in needs and prior and prior.space != bottleneck.space:
        codes = "the posterior is" if "posterior" in needs else "codes are"
        raise RecipeError(
            f'Term "{name}" is infinite: {codes} on {bottleneck.space.name} '
            f"({recipe.bottleneck.kind}) and the prior is on {prior.space.name} "
            f"({recipe.prior.kind if recipe.prior else ''})",
            _on_one_space(bottleneck, prior),
        )


def _on_one_space(bottleneck: type[Bottleneck], prior: type[Prior]) -> str:
    """The bottlenecks that fit the prior, and the priors that fit the bottleneck."""

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
