"""Trainings of a proof: commands, and the runs that they make."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoencode.cli.main import main as autoencode
from autoencode.cli.options import assignment
from autoencode.data import Data
from autoencode.errors import AutoencodeError
from autoencode.models.build import Model
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.models.run import Run, open_run


@dataclass(frozen=True)
class TrainCommand:
    """The command `autoencode train ROW` with its options.

    options: {"seed": 1} is --seed 1.     sets: {"latent": 50} is --set latent=50.
    """

    row: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    data: str = "mnist"

    def arguments(self) -> list[str]:
        """The words after `autoencode`."""
        arguments = ["train", self.row, "--data", self.data]
        for name, value in self.options.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        for name, value in self.sets.items():
            arguments += ["--set", f"{name}={_word(value)}"]
        return arguments

    def line(self) -> str:
        """The command as a line for a shell."""
        return shlex.join(["autoencode", *self.arguments()])

    def recipe(self) -> Recipe:
        """The recipe of the table, changed by `latent` and `sets`."""
        recipe = recipe_named(self.row)
        if "latent" in self.options:
            recipe = recipe.but(latent=self.options["latent"])
        for name, value in self.sets.items():
            recipe = recipe.set(*assignment(f"{name}={_word(value)}"))
        return recipe

    def but(self, *, sets: Mapping[str, Any] | None = None, **options: Any) -> TrainCommand:
        """A copy with some options and sets changed."""
        return replace(
            self, options={**self.options, **options}, sets={**self.sets, **(sets or {})}
        )


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.   model: on the CPU, in evaluation mode.   data: its training data."""

    command: TrainCommand
    run: Run
    model: Model
    data: Data

    @property
    def seconds(self) -> float:
        """The time of the training."""
        return float(self.run.summary["seconds"])

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics that `autoencode train` measured at its end."""
        metrics: dict[str, Any] = json.loads((self.run.folder / "metrics.json").read_text())
        return metrics


@dataclass
class ProofRunner:
    """Trains the models of the proofs; `done` lists the runs of the current proof.

    folder: of the runs. A finished run of the same command and recipe is used again; an interrupted
        run is continued.
    seeds: number of trainings for a claim about a median.
    steps, images, data: limits to test a proof in seconds; its results then mean nothing. The most
        steps of each training, the most images and samples that are measured, and the data that
        replace "mnist".
    """

    folder: Path
    seeds: int = 5
    steps: int | None = None
    images: int | None = None
    data: str = "mnist"
    done: list[TrainedRun] = field(default_factory=list)

    def train(self, command: TrainCommand) -> TrainedRun:
        """Runs the command, or opens its run from an earlier call."""
        command = replace(command, data=self.data)
        if self.steps is not None:
            command = command.but(steps=self.steps)
        digest = hashlib.sha256(command.line().encode()).hexdigest()[:8]
        folder = self.folder / f"{command.row}-{digest}"
        status = _status(folder, command.recipe())
        print(f"$ {command.line()} --out {folder}", flush=True)
        if status == "interrupted" or status == "running":
            _call(["resume", str(folder), "--no-report"])
        elif status != "done":
            _call([*command.arguments(), "--out", str(folder), "--overwrite", "--no-report"])
        run = open_run(folder)
        trained = TrainedRun(command, run, run.load_model(), run.load_data())
        self.done.append(trained)
        return trained

    def limit(self, n: int) -> int:
        """The number of images or samples to measure, at most `n`."""
        return n if self.images is None else min(n, self.images)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _status(folder: Path, recipe: Recipe) -> str:
    """The status of a run; "none" if there is none, or if the recipe has changed since."""
    try:
        run = open_run(folder)
    except AutoencodeError:
        return "none"
    # Description and papers of a recipe do not change its training.
    current, stored = (each.but(about="", papers=()) for each in (recipe, run.recipe))
    return run.status if current == stored else "none"


def _call(arguments: list[str]) -> None:
    try:
        autoencode(arguments)
    except SystemExit as end:
        if end.code:
            raise
