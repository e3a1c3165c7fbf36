"""The models that the service offers, and their replacement while it runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoencode.data import Data, Preprocessing, Split
from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.io.hub import is_hub_name
from autoencode.models.build import Model, learns_labels
from autoencode.models.conditions import conditioning
from autoencode.models.inference import embed
from autoencode.models.new_data import preprocessing_of
from autoencode.models.run import Run, open_run
from autoencode.parts import CONTEXTS
from autoencode.use.service.limits import MAX_VALUES, ServiceLimits


@dataclass(frozen=True)
class ServedModel:
    """A loaded model.

    name: in addresses.   digest: SHA-256 of the file of the weights.   loaded: when, in UTC.
    """

    name: str
    run: Run
    model: Model
    preprocessing: Preprocessing
    digest: str
    loaded: datetime

    @classmethod
    def open(cls, name: str, folder: Path) -> ServedModel:
        """Load the model of a run.

        Raises:
            AutoencodeError: the run is damaged, not finished, or of an older version.
        """
        run = open_run(folder)
        model = run.load_model()
        with run.weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(name, run, model, preprocessing_of(model), digest, datetime.now(UTC))

    def condition(self, operation: str) -> str:
        """Whether an operation needs "labels" or "vectors", else "".

        A model that learns labels takes them to generate examples only.
        """
        recipe = self.run.recipe
        if recipe.context is None or (learns_labels(recipe) and operation != "generate"):
            return ""
        return CONTEXTS[recipe.context.kind].source

    def max_examples(self, limits: ServiceLimits) -> int:
        """The number of examples that a request may have."""
        values = math.prod(self.preprocessing.shape)
        return max(1, min(limits.max_examples, MAX_VALUES // values))

    def expected(self) -> str:
        """What the model takes, in words."""
        return str(self.preprocessing)

    def describe(self, limits: ServiceLimits) -> dict[str, Any]:
        """The model as JSON."""
        sizes = self.model.sizes
        return {
            "name": self.name,
            "recipe": self.run.recipe.name,
            "input_shape": list(sizes.x),
            "latent_shape": list(sizes.z),
            "preprocessing": self.expected(),
            "columns": [
                {"name": each.name, "kind": each.kind, "categories": list(each.categories)}
                for each in self.preprocessing.columns
            ],
            "classes": list(self.preprocessing.classes),
            "conditioned_on": self.condition("embed") or None,
            "generates_by": self.condition("generate") or None,
            "max_examples": self.max_examples(limits),
            "weights_sha256": self.digest,
            "loaded": self.loaded.isoformat(timespec="seconds"),
        }

    def source_for(self, vectors: Tensor | None) -> Callable[[], Data]:
        """The data that drawing codes needs; see `autoencode.use.generation.draw`."""

        def source() -> Data:
            if vectors is None:
                return self._extremes
            empty = torch.empty(0, *self.model.sizes.x)
            none = Split(empty, None)
            given = replace(none, context=vectors)
            return Data("array", "", {}, none, none, given, (), "")

        return source

    @cached_property
    def _extremes(self) -> Data:
        """The training data, reduced to examples whose codes span the box around all codes."""
        try:
            data = self.run.load_data()
        except AutoencodeError as error:
            raise DataError(
                "This model has no prior, so codes are drawn near training codes, and the training "
                f"data cannot be loaded: {error.what}",
                "Give codes.",
            ) from error
        train = data.train
        codes = embed(self.model, train.x, conditioning(self.run.recipe, train)).flatten(1)
        rows = torch.unique(torch.cat([codes.argmin(0), codes.argmax(0)]))
        kept = replace(
            train,
            x=train.x[rows],
            y=None if train.y is None else train.y[rows],
            context=None if train.context is None else train.context[rows],
            factors=None,
            names=None,
        )
        return replace(data, train=kept, validation=kept, test=kept)


def named_runs(words: Sequence[str]) -> dict[str, Path]:
    """The folders of runs by the names of their models.

    words: each is a folder, whose name is that of the model, or NAME=FOLDER; or "hf:owner/name".

    Raises:
        AutoencodeError: a name is used twice, or cannot be part of an address.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, given, folder = word.partition("=")
        # A folder may have "=" in its name.
        if not given or Path(word).is_dir() or "/" in name:
            path = word.partition("@")[0] if is_hub_name(word) else word
            name, folder = Path(path).absolute().name, word
        if not name or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name):
            raise AutoencodeError(
                f'"{name}" cannot be the name of a model in an address',
                f"Give a name of letters, digits, '.', '_' and '-': model={folder or word}",
            )
        if name in found:
            raise AutoencodeError(
                f"Two runs have the name {name}", f"Give one another name: {name}-2={folder}"
            )
        found[name] = Path(folder)
    if not found:
        raise RunError("No run is given", "Give the folder of a run.")
    return found


class ModelStore:
    """The models by name; a reload replaces each that can be loaded.

    Raises:
        AutoencodeError: a run cannot be loaded.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)
        self.models = {name: ServedModel.open(name, path) for name, path in folders.items()}

    def reload(self) -> dict[str, str]:
        """Load all runs again; returns the problem of each model that was kept instead."""
        problems: dict[str, str] = {}
        fresh = dict(self.models)
        for name, folder in self.folders.items():
            try:
                fresh[name] = ServedModel.open(name, folder)
            except (AutoencodeError, OSError) as error:
                problems[name] = str(error)
        self.models = fresh
        return problems
