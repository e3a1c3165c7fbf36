"""How many steps a training makes in a given time on this machine."""

from __future__ import annotations

import sys
from typing import Any

import autoencode as ae
from autoencode.data import Data
from autoencode.train import Settings


def steps_in(recipe: ae.Recipe, data: Data, seconds: float, probe: int, **settings: Any) -> int:
    """The number of steps in so many seconds, by a training of `probe` steps; at least one.

    settings: of the training, as of `ae.fit`. With compile="on", what compiling takes is part of
        the time; the training itself then gets the same program at once. Any other mode counts
        steps that are not compiled.

    Raises:
        SystemExit: compiling takes all of the time.
    """
    compiles = settings.get("compile") == "on"
    settings = {**settings, "compile": "on" if compiles else "off", "progress": False}
    # The first steps of a process are slow.
    compiling = ae.fit(recipe, data, steps=2, **settings).summary["compiling_seconds"]
    if compiling >= seconds:
        sys.exit(
            f"Compiling {recipe.name} takes {compiling:.0f} s, and all its training is to take "
            f"{seconds:.0f} s. Give it more time, or do not compile it."
        )
    summary = ae.fit(recipe, data, steps=probe, **settings).summary
    batch_size = settings.get("batch_size") or Settings.of(recipe, {}).batch_size
    return max(1, int((seconds - compiling) * summary["images_per_second"] / batch_size))
