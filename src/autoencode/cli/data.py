"""`autoencode data`: which sets there are, fetching one, looking into one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from autoencode.cli.options import (
    Json,
    Labels,
    MaxBad,
    OnBad,
    Range,
    Size,
    SplitSeed,
    data_options,
)
from autoencode.cli.output import say, say_json

if TYPE_CHECKING:
    from autoencode.data import Check

app = typer.Typer(help="List, fetch and check data.", no_args_is_help=True)


@app.command("list")
def list_sources(json: Json = False) -> None:
    """List the sets that have a name, and which of them are on this machine.

    Example: autoencode data list
    """
    from autoencode.data import SOURCES, located

    rows = [{**source.to_dict(), "where": located(source.name)} for source in SOURCES.values()]
    if json:
        say_json(rows)
        return
    for row in rows:
        shape = "×".join(map(str, row["shape"]))
        here = "here" if row["where"] else f"{row['download_bytes'] / 1e6:.0f} MB to fetch"
        say(f"{row['name']:14s} {row['images']:>7,} images {shape:9s}  {here:16s} {row['about']}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name from the list.")], json: Json = False
) -> None:
    """Fetch a named set into the cache, checked by its SHA-256.

    Example: autoencode data fetch mnist
    """
    from autoencode.data import fetch as bring

    where = bring(name)
    if json:
        say_json({"name": name, "where": where})
    else:
        say(f"{name} is installed" if where == "installed" else f"{name} is at {where}")


@app.command()
def check(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A name or a path.")],
    labels: Labels = None,
    value_range: Range = None,
    size: Size = None,
    on_bad: OnBad = "fail",
    max_bad: MaxBad = 0.01,
    split_seed: SplitSeed = 0,
    json: Json = False,
) -> None:
    """Look into data before training: shape, range, classes, duplicates, constant images, NaN.

    Exit code 2 when the data cannot be trained on as they are.

    Example: autoencode data check mnist
    """
    from autoencode.data import check_source

    found = check_source(
        source, **data_options(labels, value_range, size, on_bad, max_bad, split_seed)
    )
    if json:
        say_json(found.to_dict())
    else:
        for line in _lines(found):
            say(line)
    if not found.usable:
        raise typer.Exit(2)


def _lines(found: Check) -> Iterator[str]:
    yield f"{found.name}: {' × '.join(map(str, found.shape))}, {found.dtype}"
    if found.low is not None:
        yield f"values       {found.low:g} to {found.high:g}"
    for part in found.parts:
        yield (
            f"{part.part:12s} {part.examples:,} examples, {part.repeated:,} repeated, "
            f"{part.in_train:,} also in train"
        )
        if part.per_class:
            counts = ", ".join(f"{name} {count:,}" for name, count in part.per_class.items())
            yield f"             {counts}"
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
