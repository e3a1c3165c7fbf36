"""`autoencode recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json
from autoencode.cli.output import print_result
from autoencode.errors import AutoencodeError


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of a model, to show all of its parts."),
    ] = None,
    code: Annotated[
        bool, typer.Option("--code", help="Print the model and its loss in plain PyTorch.")
    ] = False,
    latent: Annotated[
        int | None,
        typer.Option(help="Number of latent dimensions in the code.", show_default="the recipe's"),
    ] = None,
    data_shape: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            help="Shape of an example in the code: 3x32x32, or 30 for vectors.",
            show_default="28x28, as MNIST",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the models, or show one of them: its objective, parts, default settings and papers.

    With --code, print a listing of the model and its loss that needs only PyTorch.

    Example: autoencode recipes vae --code
    """
    from autoencode.models.describe import formula, papers, slots
    from autoencode.models.recipes.table import RECIPES, recipe_named

    if code:
        _print_code(name, latent, data_shape or "28x28", json)
        return
    if latent is not None or data_shape is not None:
        option = "--data-shape" if latent is None else "--latent"
        raise AutoencodeError(
            f"{option} is for the listing of a model", f"Add --code: {_example(name)}."
        )
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


def _print_code(name: str | None, latent: int | None, data_shape: str, json: bool) -> None:
    from autoencode.models.plain.listing import plain_code
    from autoencode.models.recipes.table import recipe_named

    if name is None:
        raise AutoencodeError("--code prints one model", f"Name it: {_example(None)}.")
    recipe = recipe_named(name)
    if latent is not None:
        recipe = recipe.but(latent=latent)
    sides = data_shape.replace("×", "x").split("x")
    if not all(side.isdecimal() and len(side) < 8 for side in sides):
        raise AutoencodeError(
            f'"{data_shape}" is no shape of an example',
            "Give --data-shape 28x28, --data-shape 3x32x32, or --data-shape 30 for vectors.",
        )
    listing = plain_code(recipe, tuple(map(int, sides)))
    print_result({"recipe": recipe.name, "code": listing}, [listing.rstrip()], json)


def _example(name: str | None) -> str:
    return f"autoencode recipes {name or 'vae'} --code"
