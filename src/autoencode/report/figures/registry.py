"""Which figures a report holds, in the order in which they tell their story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch

from autoencode.contract import Space
from autoencode.data import Data
from autoencode.evaluation import kept_projection
from autoencode.models.conditions import conditioning
from autoencode.models.run import Run
from autoencode.report.figures import (
    by_class,
    curves,
    extremes,
    grid,
    map,
    paths,
    plane,
    rates,
    reconstructions,
    restored,
    samples,
    tracking,
    wanted,
)
from autoencode.report.style import Picture
from autoencode.report.tables import Table
from autoencode.report.view import View, look


@dataclass(frozen=True)
class Plate:
    """A figure with its words.

    title: of its section.   about: what the figure is.   see: what to see in this one.
    alt: the figure for those who cannot see it.   table: its numbers, if it has any.
    """

    title: str
    picture: Picture
    about: str
    see: str
    alt: str
    table: Table | None


def plates(run: Run, view: View, metrics: Mapping[str, Any], data: Data) -> dict[str, Plate]:
    """The figures of a run by name; those without meaning for its model or data are left out."""
    figures: dict[str, tuple[ModuleType, tuple[Any, ...]]] = {
        "reconstructions": (reconstructions, (view,)),
        "extremes": (extremes, _extremes(run, view, metrics, data)),
    }
    if errors := metrics.get("squared_error_by_class"):
        figures["by-class"] = by_class, (errors, data.classes, metrics["squared_error"])
    if run.recipe.corruption is not None:
        figures["restored"] = restored, (view,)
    figures["plane"] = plane, (view,)
    for method in map.NAMES:
        found = kept_projection(run, method)
        if found is not None and found.of == len(data.test):
            y = None if data.test.y is None else data.test.y[found.rows]
            figures[f"map-{method}"] = (
                map,
                (found, y, data.classes, view.by_label and not view.tells),
            )
    figures["samples"] = samples, (view,)
    # Between and beside the entries of a code book there is nothing to decode.
    between = view.model.space is not Space.CODES
    if between:
        figures |= {"grid": (grid, (view,)), "paths": (paths, (view,))}
    if view.y is not None and between:
        figures["wanted"] = wanted, (view,)
    if nats := metrics.get("kl_per_dimension"):
        figures["rates"] = rates, (nats,)
    if log := run.log():
        figures["curves"] = curves, (log,)
    strips, image = run.folder / "figures" / "training", run.sizes.image
    if image is not None and (strips / tracking.ORIGINALS).exists() and tracking.chosen(strips):
        figures["tracking"] = tracking, (strips, image[1:])
    drawn = {name: plate(module, *given) for name, (module, given) in figures.items()}
    for method, words in map.NAMES.items():
        if (name := f"map-{method}") in drawn:
            drawn[name] = replace(drawn[name], title=f"{map.TITLE}, by {words}")
    return drawn


def _extremes(
    run: Run, view: View, metrics: Mapping[str, Any], data: Data
) -> tuple[View, int, float]:
    """The test examples of lowest and of highest error, how many are of the lowest, and the mean.

    Those that were measured; else of the examples that are looked at.
    """
    test = data.test
    order = view.places[view.errors.argsort(stable=True)]
    best = torch.tensor(metrics.get("best_examples", order.tolist())[: extremes.BEST])
    worst = torch.tensor(metrics.get("worst_examples", order.flip(0).tolist())[: extremes.WORST])
    rows = torch.cat([best, worst])
    y = None if test.y is None else test.y[rows]
    told = conditioning(run.recipe, test)
    told = None if told is None else told[rows]
    seen = look(view.model, test.x[rows], y, data.classes, told)
    mean = metrics.get("squared_error", view.errors.mean().item())
    return replace(seen, places=rows, of=len(test)), len(best), mean


def plate(module: ModuleType, *given: Any) -> Plate:
    """What a figure's module makes of the arguments that its functions take."""
    words = [say(*given) for say in (module.about, module.see, module.alt)]
    return Plate(module.TITLE, module.draw(*given), *words, module.table(*given))
