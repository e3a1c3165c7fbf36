"""`autoencode recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json
from autoencode.cli.output import say, say_json


def recipes(
    name: Annotated[str | None, typer.Argument(help="One row, in full.")] = None,
    json: Json = False,
) -> None:
    """List the table of models, or one of them: its objective, its slots, its papers.

    Example: autoencode recipes vae
    """
    from autoencode.models.describe import formula, papers, slots
    from autoencode.models.recipes.table import RECIPES, recipe_named

    rows = list(RECIPES.values()) if name is None else [recipe_named(name)]
    if json:
        found = [{**row.to_dict(), "formula": formula(row)} for row in rows]
        say_json(found if name is None else found[0])
        return
    if name is None:
        width = max(len(row.name) for row in rows)
        for row in rows:
            say(f"{row.name:{width}s}  {row.about}")
        return
    row = rows[0]
    say(f"{row.name}: {row.about}\n")
    say(f"  {formula(row)}\n")
    filled = {**slots(row), "latent": str(row.latent)}
    width = max(map(len, filled))
    for slot, words in filled.items():
        say(f"  {slot:{width}s} {words}")
    say("\n  Set any of these: " + ", ".join(row.addresses()) + "\n")
    for paper in papers(row):
        say(f"  {paper}")
