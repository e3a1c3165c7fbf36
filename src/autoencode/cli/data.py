"""`autoencode data`: list, fetch and check data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import Json, takes
from autoencode.cli.output import print_result
from autoencode.data.options import Options

if TYPE_CHECKING:
    from autoencode.data import Check

# Columns of a table, and categories of a column, that are printed.
MAX_COLUMNS, MAX_CATEGORIES = 60, 8

app = typer.Typer(help="List, fetch and check data sets.", no_args_is_help=True)


@app.command("list")
def list_sources(json: Json = False) -> None:
    """List the data sets that have a name, and which of them are on this machine.

    Example: autoencode data list
    """
    from autoencode.data import SOURCES, located

    rows = [{**source.to_dict(), "where": located(source.name)} for source in SOURCES.values()]
    lines = []
    for row in rows:
        shape = "×".join(map(str, row["shape"]))
        place = "on this machine" if row["where"] else f"{row['download_bytes'] / 1e6:.0f} MB"
        lines.append(
            f"{row['name']:14s} {row['images']:>7,} images {shape:9s}  {place:16s} {row['about']}"
        )
    print_result(rows, lines, json)


@app.command("fetch")
def fetch_source(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a data set, from: autoencode data list.")
    ],
    json: Json = False,
) -> None:
    """Download a data set into the cache and check its SHA-256.

    Example: autoencode data fetch mnist
    """
    from autoencode.data import fetch

    place = fetch(name)
    words = f"{name} is installed" if place == "installed" else f"{name} is at {place}"
    print_result({"name": name, "where": place}, [words], json)


@app.command("check")
@takes(options=Options)
def check(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Name of a data set, a folder of images, a table, or an array file.",
        ),
    ],
    options: dict[str, Any],
    json: Json = False,
) -> None:
    """Inspect data before training: shape, values or columns, classes, duplicates, NaN.

    The exit code is 2 if a model cannot be trained on the data as they are.

    Example: autoencode data check mnist
    """
    from autoencode.data import check_source

    found = check_source(source, **options)
    print_result(found.to_dict(), _lines(found), json)
    if not found.usable:
        raise typer.Exit(2)


def _lines(found: Check) -> Iterator[str]:
    if found.columns:
        yield from _column_lines(found)
    else:
        yield f"{found.name}: {' × '.join(map(str, found.shape))}, {found.dtype}"
    if found.low is not None:
        yield f"values       {found.low:g} to {found.high:g}"
    for part in found.parts:
        yield (
            f"{part.part:12s} {part.examples:,} examples, {part.repeated:,} duplicates, "
            f"{part.in_train:,} also in the training part"
        )
        if part.per_class:
            counts = ", ".join(f"{name} {count:,}" for name, count in part.per_class.items())
            yield f"             {counts}"
    if not found.columns:
        first = f" (first at {found.first_constant})" if found.constant else ""
        yield f"constant     {found.constant:,} examples{first}"
        first = f" (first at {found.first_not_finite})" if found.not_finite else ""
        yield f"NaN or inf   {found.not_finite:,} examples{first}"
    for bad in found.bad_files:
        yield f"bad file     {bad.path}: {bad.reason}"
    for notice in found.notices:
        yield f"note         {notice}"
    for problem in found.problems:
        yield f"problem      {problem}"
    yield "These data can be trained on." if found.usable else "These data cannot be used as is."


def _column_lines(found: Check) -> Iterator[str]:
    """The columns of a table, one a line."""
    yield f"{found.name}: table, {len(found.columns):,} columns"
    shown = found.columns[:MAX_COLUMNS]
    names = [each.name if len(each.name) <= 24 else f"{each.name[:23]}…" for each in shown]
    width = max(map(len, ["column", *names]))
    yield f"{'column':{width}s}  kind         missing  values"
    for name, each in zip(names, shown, strict=True):
        if each.kind == "numeric":
            values = f"{each.low:g} to {each.high:g}, mean {each.mean:g}"
        else:
            most = sorted(each.categories.items(), key=lambda pair: -pair[1])[:MAX_CATEGORIES]
            more = len(each.categories) - len(most)
            values = ", ".join(f"{category} {count:,}" for category, count in most)
            values += f" and {more} more categories" if more else ""
        yield f"{name:{width}s}  {each.kind:11s}  {each.missing:>7,}  {values}"
    if len(found.columns) > MAX_COLUMNS:
        yield f"… and {len(found.columns) - MAX_COLUMNS:,} more columns; --json lists all"
