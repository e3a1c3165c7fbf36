"""Which figures a report holds, in the order in which they tell their story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.models.run import Run
from autoencode.report.figures import (
    curves,
    grid,
    paths,
    plane,
    rates,
    reconstructions,
    samples,
    tracking,
    wanted,
)
from autoencode.report.style import Picture
from autoencode.report.view import View


@dataclass(frozen=True)
class Plate:
    """A figure with its words.

    title: of its section.   caption: what to see.   alt: the figure for those who cannot see it.
    """

    title: str
    picture: Picture
    caption: str
    alt: str


def plates(run: Run, view: View, metrics: Mapping[str, Any]) -> dict[str, Plate]:
    """The figures of a run by name; those without meaning for its model or data are left out."""
    found = {}
    for name, module in (
        ("reconstructions", reconstructions),
        ("plane", plane),
        ("samples", samples),
        ("grid", grid),
        ("paths", paths),
    ):
        found[name] = Plate(
            module.TITLE, module.draw(view), module.caption(view), module.alt(view)
        )
    if view.y is not None:
        found["wanted"] = Plate(
            wanted.TITLE, wanted.draw(view), wanted.caption(view), wanted.alt(view)
        )
    if nats := metrics.get("kl_per_dimension"):
        found["rates"] = Plate(rates.TITLE, rates.draw(nats), rates.caption(nats), rates.alt(nats))
    if log := run.log():
        found["curves"] = Plate(
            curves.TITLE, curves.draw(log), curves.caption(log), curves.alt(log)
        )
    strips, image = run.folder / "figures" / "training", run.sizes.image
    if image is not None and (strips / tracking.ORIGINALS).exists() and tracking.chosen(strips):
        found["tracking"] = Plate(
            tracking.TITLE,
            tracking.draw(strips, image[1:]),
            tracking.caption(strips),
            tracking.alt(strips),
        )
    return found
