"""Which models can have a linear path beside their networks, and begin at PCA."""

from __future__ import annotations

from autoencode.arguments import argument_value, arguments_of
from autoencode.contract import Bottleneck, Likelihood
from autoencode.errors import RecipeError
from autoencode.models.recipe import Recipe
from autoencode.parts import SLOTS
from autoencode.parts.networks import NETWORKS


def linear_path(recipe: Recipe) -> str:
    """The linear path of a recipe's network: "none", "random" or "pca"."""
    if not _has_argument(recipe):
        return "none"
    return str(argument_value(NETWORKS[recipe.network.kind], recipe.network.args, "linear"))


def has_place_for_path(recipe: Recipe) -> bool:
    """Whether the network of a recipe can have a linear path."""
    if not _has_argument(recipe):
        return False
    network, given = NETWORKS[recipe.network.kind], recipe.network.args
    is_linear = recipe.network.kind == "mlp" and not argument_value(network, given, "hidden")
    return not is_linear and argument_value(network, given, "code") != "map"


def _has_argument(recipe: Recipe) -> bool:
    """Whether the network is not a custom one, and not a linear one such as "dictionary"."""
    kind = recipe.network.kind
    return kind in NETWORKS and "linear" in arguments_of(NETWORKS[kind])


def may_start_at_pca(recipe: Recipe) -> bool:
    """Whether the model and the bottleneck of a recipe leave the codes of PCA as they are."""
    bottleneck: type[Bottleneck] = SLOTS["bottleneck"][recipe.bottleneck.kind]
    return recipe.model.kind == "slots" and bottleneck.affine


def refuse_linear(recipe: Recipe, bottleneck: Bottleneck, likelihood: Likelihood) -> None:
    """Refuses a linear path that a network does not have, or that cannot begin at PCA.

    Raises:
        RecipeError: as said.
    """
    linear = linear_path(recipe)
    if linear == "none":
        return
    leave_out = "or leave network.linear out."
    if not has_place_for_path(recipe):
        wanted = "hidden=512" if recipe.network.kind == "mlp" else "code=vector"
        raise RecipeError(
            "A linear path needs a network with hidden layers, and codes that are vectors",
            f"Use --set network.{wanted}, {leave_out}",
        )
    if linear == "random":
        return
    if recipe.model.kind != "slots":
        raise RecipeError(
            f'Model "{recipe.model.kind}" cannot begin at PCA: it has more than one encoder',
            'Use --set network.linear=random (in Python set("network.linear", "random")).',
        )
    if not may_start_at_pca(recipe):
        other = "gaussian" if bottleneck.random else "point"
        raise RecipeError(
            f'Bottleneck "{recipe.bottleneck.kind}" changes codes, so that a model with it cannot '
            "begin at PCA",
            f"Use --set bottleneck={other}, --set network.linear=random, {leave_out}",
        )
    if likelihood.affine is None:
        fix = "--set likelihood=gaussian --set likelihood.mean=identity"
        raise RecipeError(
            f'Likelihood "{recipe.likelihood.kind}" applies a function to the decoder\'s output, '
            "so that a model with it cannot begin at PCA",
            f"Use {fix}, {leave_out}",
        )
