"""The lowest test error within five minutes of training."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Target
from speed.sections.quality import TimedRecipe, error_targets, table, trained


class TimeLimit:
    """A section of recipes that are trained completely, with a limit on the training time."""

    def __init__(self, heading: str, recipes: dict[str, TimedRecipe]) -> None:
        self.heading, self.recipes = heading, recipes

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Error and seconds of each recipe and seed."""
        return {"rows": trained(bench, self.recipes)}

    def page(self, record: dict[str, Any]) -> str:
        """A table with a row for each recipe."""
        return "\n".join([self.heading, "", *table(record["rows"], self.recipes), ""])

    def targets(self, record: dict[str, Any]) -> list[Target]:
        """The targets of the recipes that have one."""
        return error_targets(record["rows"], self.recipes)


PLANE = TimeLimit(
    "The lowest error within five minutes, with 2 latent dimensions:",
    {"ae-funnel": TimedRecipe("ae-funnel", latent=2, max_error=24.0, max_seconds=300)},
)
WIDER = TimeLimit(
    "The lowest error within five minutes, with 30 latent dimensions, 20 % of the images under "
    "small random affine maps:",
    {
        "ae-deep, d=30": TimedRecipe(
            "ae-deep",
            latent=30,
            settings={"steps": 16_500, "augment": 0.2},
            max_error=2.5,
            max_seconds=300,
        ),
    },
)
