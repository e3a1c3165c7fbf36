"""Which figures a report holds, in the order in which they tell their story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from autoencode.contract import Space
from autoencode.models.run import Run
from autoencode.report.figures import (
    curves,
    grid,
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
from autoencode.report.view import View


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


def plates(run: Run, view: View, metrics: Mapping[str, Any]) -> dict[str, Plate]:
    """The figures of a run by name; those without meaning for its model or data are left out."""
    figures: dict[str, tuple[ModuleType, tuple[Any, ...]]] = {
        "reconstructions": (reconstructions, (view,)),
        **({} if run.recipe.corruption is None else {"restored": (restored, (view,))}),
        "plane": (plane, (view,)),
        "samples": (samples, (view,)),
    }
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
    return {name: _plate(module, *given) for name, (module, given) in figures.items()}


def _plate(module: ModuleType, *given: Any) -> Plate:
    words = [say(*given) for say in (module.about, module.see, module.alt)]
    return Plate(module.TITLE, module.draw(*given), *words, module.table(*given))
