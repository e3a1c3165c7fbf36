"""`autoencode recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json
from autoencode.cli.output import print_result


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of a model, to show all of its parts."),
    ] = None,
    json: Json = False,
) -> None:
    """List the models, or show one of them: its objective, parts, default settings and papers.

    Example: autoencode recipes vae
    """
    from autoencode.models.describe import formula, papers, slots
    from autoencode.models.recipes.table import RECIPES, recipe_named

    found = list(RECIPES.values()) if name is None else [recipe_named(name)]
    records = [{**recipe.to_dict(), "formula": formula(recipe)} for recipe in found]
    if name is None:
        width = max(len(recipe.name) for recipe in found)
        print_result(records, [f"{each.name:{width}s}  {each.about}" for each in found], json)
        return
    recipe = found[0]
    settings = ", ".join(f"{key} {value}" for key, value in recipe.training.items())
    rows = {**slots(recipe), "latent": str(recipe.latent)}
    rows |= {"training": settings} if settings else {}
    width = max(map(len, rows))
    lines = [
        f"{recipe.name}: {recipe.about}\n",
        f"  {formula(recipe)}\n",
        *(f"  {title:{width}s} {words}" for title, words in rows.items()),
        "\n  Values that --set can change: " + ", ".join(recipe.addresses()) + "\n",
        *(f"  {paper}" for paper in papers(recipe)),
    ]
    print_result(records[0], lines, json)
