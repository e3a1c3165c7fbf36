"""One training of a proof: what the command line is told, and the run that comes of it."""

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
class Training:
    """`autoencode train ROW`, with what stands after it.

    options: {"seed": 1} is --seed 1.     sets: {"latent": 50} is --set latent=50.
    """

    row: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    data: str = "mnist"

    def arguments(self) -> list[str]:
        """What follows `autoencode`."""
        words = ["train", self.row, "--data", self.data]
        for name, value in self.options.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        for name, value in self.sets.items():
            words += ["--set", f"{name}={_word(value)}"]
        return words

    def command(self) -> str:
        """The line that a reader types."""
        return shlex.join(["autoencode", *self.arguments()])

    def recipe(self) -> Recipe:
        """The row as the table has it now, with the sets."""
        recipe = recipe_named(self.row)
        if "latent" in self.options:
            recipe = recipe.but(latent=self.options["latent"])
        for name, value in self.sets.items():
            recipe = recipe.set(*assignment(f"{name}={_word(value)}"))
        return recipe

    def but(self, *, sets: Mapping[str, Any] | None = None, **options: Any) -> Training:
        """The same, with some options and sets changed."""
        return replace(
            self, options={**self.options, **options}, sets={**self.sets, **(sets or {})}
        )


@dataclass(frozen=True)
class Trained:
    """A finished run.   model: on the CPU, in evaluation mode.   data: what it was trained on."""

    training: Training
    run: Run
    model: Model
    data: Data

    @property
    def seconds(self) -> float:
        """What the training took."""
        return float(self.run.summary["seconds"])

    @property
    def metrics(self) -> dict[str, Any]:
        """What `autoencode train` measured at its end."""
        found: dict[str, Any] = json.loads((self.run.folder / "metrics.json").read_text())
        return found


@dataclass
class Workshop:
    """Where proofs train; `done` lists what was trained for the proof at hand.

    folder: of the runs. One that is there, done, and was told the same of the same row is taken as
        it is; one that was cut short is continued.
    seeds: how many are trained where a claim is about a median.
    steps, images, data: only to try a proof out in seconds, as its test does: its figures then
        mean nothing. An upper bound on the steps of each training, one on the images and samples
        measured, and what stands for "mnist".
    """

    folder: Path
    seeds: int = 5
    steps: int | None = None
    images: int | None = None
    data: str = "mnist"
    done: list[Trained] = field(default_factory=list)

    def train(self, training: Training) -> Trained:
        """Trains, or opens what was trained before."""
        training = replace(training, data=self.data)
        if self.steps is not None:
            training = training.but(steps=self.steps)
        digest = hashlib.sha256(training.command().encode()).hexdigest()[:8]
        folder = self.folder / f"{training.row}-{digest}"
        status = _status(folder, training.recipe())
        print(f"$ {training.command()} --out {folder}", flush=True)
        if status == "interrupted" or status == "running":
            _call(["resume", str(folder), "--no-report"])
        elif status != "done":
            _call([*training.arguments(), "--out", str(folder), "--overwrite", "--no-report"])
        run = open_run(folder)
        trained = Trained(training, run, run.load_model(), run.load_data())
        self.done.append(trained)
        return trained

    def few(self, n: int) -> int:
        """How many of `n` images or samples are measured."""
        return n if self.images is None else min(n, self.images)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _status(folder: Path, recipe: Recipe) -> str:
    """That of the run; "none" where there is none, or of a row that has changed since."""
    try:
        run = open_run(folder)
    except AutoencodeError:
        return "none"
    # What a row says of itself may change.
    ours, theirs = (each.but(about="", papers=()) for each in (recipe, run.recipe))
    return run.status if ours == theirs else "none"


def _call(words: list[str]) -> None:
    try:
        autoencode(words)
    except SystemExit as left:
        if left.code:
            raise
