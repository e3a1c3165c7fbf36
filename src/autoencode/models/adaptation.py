"""What recipes, which are written for MNIST, change for other data."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Any

import torch
from torch import Tensor

from autoencode.arguments import argument_value, arguments_of
from autoencode.data import Data, scaled
from autoencode.data.mirror import mirrored_error_ratio
from autoencode.models.default_likelihood import AUTO, default_likelihood
from autoencode.models.dictionary import as_dictionary
from autoencode.models.linear_checks import has_place_for_path, linear_path, may_start_at_pca
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.base import NORMALISED
from autoencode.models.tables import for_table
from autoencode.parts import SLOTS

# Images are continuous if a smaller share of their values is at an end of the range, within
# NEAR_END of it. It is 3 % in CIFAR-10 (JPEG), 53 % in Fashion-MNIST, 58 % in the digits and 87 %
# in MNIST; the limit lies between and was not tuned.
MAX_SHARE_AT_ENDS, NEAR_END = 0.2, 0.01
# Values of training examples from which that share is taken.
MAX_VALUES = 2**22
# Images are mirrored in training if PCA describes mirror images so well, relative to the images.
MAX_MIRRORED_ERROR = 1.03
# Networks whose defaults are for digits, and what they have for images of so many values.
CONVOLUTIONAL = ("conv", "resnet")
LARGE_IMAGE = 1024
LARGER: dict[str, Any] = {"width": 16, "hidden": (1024, 512, 256)}
# Of runs that were trained before the present values.
FORMER_HIDDEN = (1024,)
# In place of the learning rate for networks with batch normalisation, which were tuned on MNIST.
LARGER_LR = 1e-3
# The share of these images that is rotated, scaled and sheared besides, where the squared error is
# trained: with the bins of 8-bit values in a likelihood, interpolated values would not fit.
AUGMENT = 0.7
# What is decided by the data, where the recipe leaves it open.
DECIDED = ("network.linear", "likelihood.mean")


def for_data(
    recipe: Recipe, data: Data, init: Recipe | None = None, given: Collection[str] = ()
) -> tuple[Recipe, list[str]]:
    """The recipe for these data, and a sentence for each change.

    For tables see `for_table`, for top-k codes of vectors `as_dictionary`. The likelihood "auto"
    becomes that of `default_likelihood`. For continuous images, an autoencoder or VAE begins at
    PCA where the mean of its likelihood can be linear in the decoder's output: its network gets a
    linear path, and a mean that would have a sigmoid has none; convolutional networks for images of
    1,024 values or more are wider and trained with smaller steps; and images that are as usual as
    their mirror images are mirrored in training. Other recipes, and recipes for other data, stay as
    they are. What the recipe sets itself is kept.

    init: the recipe of the run whose weights training starts from; what these data would decide
        is as in that run.
    given: the names of settings that the user gives, so that the data do not decide them.

    Raises:
        RecipeError: the table has missing values, and the model cannot be trained with them.
    """
    if init is not None:
        recipe = _as_in(recipe, init)
    recipe, notices = as_dictionary(recipe, data)
    if data.is_table:
        recipe, of_table = for_table(recipe, data)
        return recipe, [*notices, *of_table]
    if recipe.likelihood.kind == AUTO:
        likelihood, notice = default_likelihood(data)
        recipe, notices = recipe.but(likelihood=likelihood), [*notices, notice]
    recipe, notice_of_path = _with_path(recipe, data, given)
    return recipe, notices + ([notice_of_path] if notice_of_path else [])


def _with_path(recipe: Recipe, data: Data, given: Collection[str]) -> tuple[Recipe, str]:
    """The recipe with a linear path where it should have one, and a sentence on it."""
    if "linear" not in recipe.network.args:
        if not (_fits(recipe, data) and share_at_ends(data.train.x) < MAX_SHARE_AT_ENDS):
            return recipe, ""
        changed, no_sigmoid = recipe.set("network.linear", "pca"), ""
        if _has_free_mean(recipe):
            changed = changed.set("likelihood.mean", "identity")
            no_sigmoid = " images have no sigmoid (likelihood.mean=identity),"
        changed, size = _with_larger_network(changed, data, given)
        changed, mirrored = _with_changed_images(changed, data, given)
        return changed, (
            f"For continuous images, {recipe.name} begins at PCA: its network has a linear path "
            f"(network.linear=pca),{no_sigmoid} and the weights of the best validation are "
            f"kept.{size}{mirrored}"
        )
    if linear_path(recipe) == "pca" and _has_free_mean(recipe):
        notice = "The mean of p(x|z) has no sigmoid (likelihood.mean=identity), so that training "
        return recipe.set("likelihood.mean", "identity"), f"{notice}begins at PCA."
    return recipe, ""


def _with_larger_network(recipe: Recipe, data: Data, given: Collection[str]) -> tuple[Recipe, str]:
    """The recipe with a network for photographs in place of one for digits, and a sentence."""
    if recipe.network.kind not in CONVOLUTIONAL or prod(data.shape) < LARGE_IMAGE:
        return recipe, ""
    changes = {k: v for k, v in _larger(recipe).items() if k not in recipe.network.args}
    for name, value in changes.items():
        recipe = recipe.set(f"network.{name}", value)
    words = [f"network.{name}={list(v) if name == 'hidden' else v}" for name, v in changes.items()]
    if "lr" not in given and recipe.training.get("lr") == NORMALISED["lr"]:
        recipe = recipe.but(training={**recipe.training, "lr": LARGER_LR})
        words.append(f"lr {LARGER_LR:g} in place of {NORMALISED['lr']:g}")
    return recipe, f" Its network is one for photographs: {', '.join(words)}." if words else ""


def _larger(recipe: Recipe) -> dict[str, Any]:
    """`LARGER`, without dense layers that would be narrow beside the code."""
    first, *others = LARGER["hidden"]
    return {**LARGER, "hidden": (first, *(w for w in others if w >= 2 * recipe.latent))}


def _with_changed_images(recipe: Recipe, data: Data, given: Collection[str]) -> tuple[Recipe, str]:
    """The recipe with mirrored and warped images in training where they are as usual."""
    chosen: dict[str, Any] = {"flip": True}
    if (
        recipe.bottleneck.kind == "point"
        and SLOTS["likelihood"][recipe.likelihood.kind].affine is None
    ):
        chosen["augment"] = AUGMENT
    chosen = {k: v for k, v in chosen.items() if k not in (*given, *recipe.training)}
    if not chosen:
        return recipe, ""
    if data.fingerprint not in _mirrored_errors:
        _mirrored_errors.clear()
        _mirrored_errors[data.fingerprint] = mirrored_error_ratio(data.train.x)
    ratio = _mirrored_errors[data.fingerprint]
    if ratio > MAX_MIRRORED_ERROR:
        return recipe, ""
    words = {
        "flip": "mirrored at random (without: --no-flip)",
        "augment": f"rotated, scaled and sheared a little, {AUGMENT:.0%} of them (without: "
        "--augment 0)",
    }
    done = " and ".join(words[name] for name in chosen)
    return recipe.but(training={**recipe.training, **chosen}), (
        f" In training, images are {done}, since PCA describes mirror images as well, with "
        f"{ratio:.3f} times the error."
    )


# Of the last data, by their fingerprint: a call may ask for each of many trainings.
_mirrored_errors: dict[str, float] = {}


def share_at_ends(x: Tensor) -> float:
    """The share of values within 1 % of an end of the range, of examples [N, *X] in [0, 1]."""
    examples = max(1, MAX_VALUES // max(1, x[0].numel()))
    values = scaled(x[:: max(1, -(-len(x) // examples))])
    return torch.mean(((values - 0.5).abs() > 0.5 - NEAR_END).float()).item()


def _fits(recipe: Recipe, data: Data) -> bool:
    """Whether training on these images would begin at PCA, if they are continuous."""
    return (
        len(data.shape) > 1
        and not data.train.random
        and has_place_for_path(recipe)
        and may_start_at_pca(recipe)
        and recipe.corruption is None
        and any(term.kind == "reconstruction" for term in recipe.terms.values())
        and (
            _has_free_mean(recipe) or SLOTS["likelihood"][recipe.likelihood.kind].affine is not None
        )
    )


def _has_free_mean(recipe: Recipe) -> bool:
    """Whether the likelihood has a mean function that the recipe does not set."""
    kind = SLOTS["likelihood"][recipe.likelihood.kind]
    return "mean" in arguments_of(kind) and recipe.likelihood.args.get("mean") is None


def _as_in(recipe: Recipe, init: Recipe) -> Recipe:
    """The recipe with the values of another one where the data would decide them."""
    for address in DECIDED:
        slot, name = address.split(".")
        ours, theirs = getattr(recipe, slot), getattr(init, slot)
        if ours.kind != theirs.kind or name in ours.args:
            continue
        kind = SLOTS[slot].get(ours.kind)
        value = kind and argument_value(kind, theirs.args, name)
        if value is not None:
            recipe = recipe.set(address, value)
    if recipe.network.kind == init.network.kind and recipe.network.kind in CONVOLUTIONAL:
        for name, larger in _larger(recipe).items():
            value = init.network.args.get(name)
            if name not in recipe.network.args and value in (larger, FORMER_HIDDEN):
                recipe = recipe.set(f"network.{name}", value)
    return recipe
