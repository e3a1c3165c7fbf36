"""Generates docs/recipes.md, and the table of recipes in docs/export.md."""

from __future__ import annotations

import sys
from pathlib import Path

from autoencode.contract import Space
from autoencode.errors import RecipeError
from autoencode.models.build import learns_labels
from autoencode.models.describe import formula, papers, slots
from autoencode.models.papers import PAPERS
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import RECIPES
from autoencode.parts import SLOTS

ROOT = Path(__file__).parents[1]
EXPORTED = "<!-- exported: made by `make docs` -->", "<!-- /exported -->"

ABSENT = (
    "## Models that are not included\n\n"
    "Hamiltonian and Riemannian Hamiltonian VAEs: their posterior follows the gradient of the "
    "decoder's ln p(x, z), but encoders of this package work without a decoder. The Poincaré VAE: "
    "its codes lie in hyperbolic space, which distances, interpolation and the first layer of the "
    "decoder would have to support."
)


def check(recipe: Recipe) -> None:
    """Checks that a recipe can be documented.

    Raises:
        RecipeError: `about` or `papers` is empty, or a paper is not in the bibliography.
    """
    for name in ("about", "papers"):
        if not getattr(recipe, name):
            raise RecipeError(
                f'Recipe "{recipe.name}" has no {name}, which docs/recipes.md shows',
                f"Add {name}=... to the recipe in src/autoencode/models/recipes/.",
            )
    for key in recipe.papers:
        if key not in PAPERS:
            raise RecipeError(
                f'Recipe "{recipe.name}" cites the paper "{key}", which the bibliography lacks',
                f'Add "{key}": {{"authors": ..., "year": ..., "title": ..., "where": ...}} to '
                "src/autoencode/models/papers.json, or correct `papers` of the recipe.",
            )


def section(recipe: Recipe) -> str:
    """The section of one recipe in docs/recipes.md."""
    check(recipe)
    lines = [f"## {recipe.name}", "", recipe.about, "", "```text", formula(recipe), "```", ""]
    lines += ["| slot | part |", "|---|---|"]
    lines += [f"| {slot} | `{part}` |" for slot, part in slots(recipe).items()]
    if recipe.training:
        settings = ", ".join(f"{name}={value}" for name, value in recipe.training.items())
        lines.append(f"| training | `{settings}` |")
    labelled = " --labelled 100" if "labelled" in recipe.training else ""
    lines += ["", f"Train it: `autoencode train {recipe.name} --data mnist{labelled}`", ""]
    lines += [f"- {paper}" for paper in papers(recipe)]
    return "\n".join(lines)


def table() -> str:
    """All recipes, a row each, with links to their sections."""
    rows = ["| recipe | description | objective |", "|---|---|---|"]
    for recipe in RECIPES.values():
        objective = formula(recipe).rpartition("   [")[0].removeprefix("loss = ")
        escaped = objective.replace("|", "\\|")
        rows.append(f"| [`{recipe.name}`](#{recipe.name}) | {recipe.about} | `{escaped}` |")
    return "\n".join(rows)


def page() -> str:
    """The text of docs/recipes.md."""
    head = (
        "# Recipes\n\nGenerated from `src/autoencode/models/recipes/` by `make docs`. Every value "
        "of a recipe can be set on the command line by its dotted name: "
        "`--set network.hidden=[256]`.\n\n"
        "The loss is summed over pixels and latent dimensions, mean over examples. Log-likelihoods "
        "and KL divergences are in nats per example; other terms have no unit. A course's mean "
        "squared error is a Gaussian −log-likelihood up to a scale and a constant. The KL of a VAE "
        "is ½ Σ (σ² + μ² − 1 − ln σ²), with all constants. The learning rate follows a cosine. "
        "[Why my numbers differ](differences.md) compares this with other conventions."
    )
    return "\n\n".join([head, table(), *map(section, RECIPES.values()), ABSENT]) + "\n"


def export(text: str) -> str:
    """The text of docs/export.md with a new table of what the file of each recipe holds."""
    begin, end = EXPORTED
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    kinds: dict[tuple[str, ...], list[str]] = {}
    for recipe in RECIPES.values():
        labels = learns_labels(recipe)
        second = recipe.context.kind if recipe.context else ""
        decoder = f"`codes`, `{second}`" if second else "`codes`"
        x = f"`x`, `{second}`" if second and not labels else "`x`"
        outputs = "`codes`, `images`, `score`" + (", `probabilities`" if labels else "")
        discrete = SLOTS["bottleneck"][recipe.bottleneck.kind].space is Space.CODES
        outputs += ", `indices`" if discrete else ""
        kinds.setdefault((x, outputs, decoder), []).append(f"`{recipe.name}`")
    rows = ["| recipes | inputs | outputs | inputs of the decoder |", "|---|---|---|---|"]
    rows += [f"| {', '.join(names)} | {' | '.join(kind)} |" for kind, names in kinds.items()]
    return f"{before}{begin}\n" + "\n".join(rows) + f"\n{end}{after}"


def main() -> None:
    """Writes both files."""
    recipes = page()
    (ROOT / "docs" / "recipes.md").write_text(recipes, encoding="utf-8")
    path = ROOT / "docs" / "export.md"
    path.write_text(export(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except RecipeError as error:
        sys.exit(f"error: {error}")
