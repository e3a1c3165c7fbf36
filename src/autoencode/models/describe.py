"""Descriptions of a recipe: objective, parts, units, papers."""

from __future__ import annotations

from typing import Any

from autoencode.contract import Term
from autoencode.errors import RecipeError, did_you_mean
from autoencode.io.local_paths import without_folders
from autoencode.models.build import assembly
from autoencode.models.foreign import ModuleRecipe
from autoencode.models.papers import PAPERS
from autoencode.models.recipe import PART_SLOTS, Recipe, Spec
from autoencode.models.schedules import Course
from autoencode.parts import SLOTS


def formula(recipe: Recipe) -> str:
    """The objective as a formula.

    >>> from autoencode.models.recipes.table import RECIPES
    >>> formula(RECIPES["vae"].set("terms.kl.weight", 4))
    'loss = −ln p(x|z) + 4·KL(q(z|x) ‖ p(z))   [nats per example]'
    """
    if isinstance(recipe, ModuleRecipe):
        return "its loss is not known"
    summands = []
    for spec in recipe.terms.values():
        weight = "" if spec.weight == 1 else f"{spec.weight:g}·"
        summands.append(f"{weight}{SLOTS['terms'][spec.kind].formula}")
    in_nats = all(term_unit(recipe, name) == "nats" for name in recipe.terms)
    return f"loss = {' + '.join(summands)}   [{'nats ' if in_nats else ''}per example]"


def term_unit(recipe: Recipe, name: str) -> str:
    """The unit of one named value of the objective: "nats", or "" for a number without a unit.

    name: a term of the recipe, or a cost that its model or its bottleneck charges, such as
        "classification", "label-kl" or "commitment".

    Log-likelihoods and KL divergences are in nats. The reconstruction under a likelihood that is
    not normalised ("ms-ssim") is an energy and has no unit.

    >>> from autoencode.models.recipes.table import RECIPES
    >>> term_unit(RECIPES["contractive-ae"], "reconstruction")
    'nats'
    >>> term_unit(RECIPES["contractive-ae"], "contractive")
    ''

    Raises:
        RecipeError: the objective of the recipe has no value of that name.
    """
    if name in recipe.terms:
        term: type[Term] = SLOTS["terms"][recipe.terms[name].kind]
        normalised = SLOTS["likelihood"][recipe.likelihood.kind].normalised
        return term.unit if normalised or not term.has_likelihood else ""
    costs = {
        **SLOTS["bottleneck"][recipe.bottleneck.kind].cost_units,
        **getattr(assembly(recipe), "cost_units", {}),
    }
    if name not in costs:
        raise RecipeError(
            f'The objective of "{recipe.name}" has no term or cost "{name}"',
            did_you_mean(name, [*recipe.terms, *costs]),
        )
    return str(costs[name])


def slots(recipe: Recipe) -> dict[str, str]:
    """The parts of a recipe: slot -> name and the arguments that the recipe sets."""
    if isinstance(recipe, ModuleRecipe):
        return dict(recipe.understood)
    filled: dict[str, str] = {}
    if recipe.model != Spec("slots"):
        filled["model"] = _part(recipe.model)
    for name in PART_SLOTS:
        spec = getattr(recipe, name)
        if spec is not None or name == "prior":
            filled[name] = _part(spec)
    if recipe.samples is not None:
        filled["samples"] = str(recipe.samples)
    for address, schedule in recipe.schedules.items():
        filled[f"schedule of {address}"] = str(Course.of(schedule, address))
    return filled


def papers(recipe: Recipe) -> list[str]:
    """Citations of the papers of a recipe; a key that is not in `papers.json` stays as it is."""
    return [str(PAPERS.get(key, key)) for key in recipe.papers]


def _part(spec: Spec | None) -> str:
    if spec is None:
        return "none"
    arguments = ", ".join(f"{name}={_value(value)}" for name, value in spec.args.items())
    kind = str(without_folders(spec.kind))  # of a custom network, the file
    return f"{kind}({arguments})" if arguments else kind


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)
