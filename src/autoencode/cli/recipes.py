"""`autoencode recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json
from autoencode.cli.output import print_json, print_line


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
    if json:
        records = [{**recipe.to_dict(), "formula": formula(recipe)} for recipe in found]
        print_json(records if name is None else records[0])
        return
    if name is None:
        width = max(len(recipe.name) for recipe in found)
        for recipe in found:
            print_line(f"{recipe.name:{width}s}  {recipe.about}")
        return
    recipe = found[0]
    print_line(f"{recipe.name}: {recipe.about}\n")
    print_line(f"  {formula(recipe)}\n")
    settings = ", ".join(f"{key} {value}" for key, value in recipe.training.items())
    rows = {**slots(recipe), "latent": str(recipe.latent)}
    rows |= {"training": settings} if settings else {}
    width = max(map(len, rows))
    for title, words in rows.items():
        print_line(f"  {title:{width}s} {words}")
    print_line("\n  Values that --set can change: " + ", ".join(recipe.addresses()) + "\n")
    for paper in papers(recipe):
        print_line(f"  {paper}")
