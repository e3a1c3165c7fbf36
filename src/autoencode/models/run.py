"""A run on disk: one folder that holds a model, how it was made, and what was found out about it.

recipe.json          what fills each slot
run.json             sizes, data, settings, and how far it got
weights.safetensors  the trained weights
state/               what exact resuming needs
log.jsonl            training and validation figures, a line each
metrics.json         the evaluation on test data
figures/ report.html card.md environment.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from autoencode.contract import Sizes
from autoencode.data import Data, load_data
from autoencode.errors import DataError, RunError
from autoencode.models.assemble import SlotAutoencoder, build
from autoencode.models.recipe import Recipe
from autoencode.models.store import FORMAT, read_json, read_tensors, write_json, write_tensors


@dataclass(frozen=True)
class Run:
    """A run folder and what its `recipe.json` and `run.json` say.

    status: "running", "done", "interrupted" or "diverged".
    data: source, options, fingerprint, name and classes, see `data_record`.
    settings: those of the training, see `autoencode.train.Settings`.
    summary: steps, seconds, images_per_second and the device of what was trained so far.
    """

    folder: Path
    recipe: Recipe
    sizes: Sizes
    status: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """Where the trained weights lie."""
        return self.folder / "weights.safetensors"

    def write(self) -> None:
        """Writes `recipe.json` and `run.json`; the folder exists."""
        write_json(self.folder / "recipe.json", self.recipe.to_dict())
        record = asdict(self)
        del record["folder"], record["recipe"]
        write_json(self.folder / "run.json", {"format": FORMAT, **record})

    def write_weights(self, model: nn.Module) -> None:
        """Writes `weights.safetensors`."""
        write_tensors(self.weights, model.state_dict(), {"recipe": self.recipe.to_dict()})

    def load_model(self) -> SlotAutoencoder:
        """The trained model, on the CPU and in evaluation mode.

        Raises:
            RunError: training has not finished, or the weights are damaged or of other shapes.
        """
        if not self.weights.exists():
            raise RunError(
                f"{self.folder} has no weights: its training is {self.status}",
                f"Continue it: autoencode resume {self.folder}",
            )
        model = build(self.recipe, self.sizes, seed=0)
        load_weights(model, read_tensors(self.weights)[0], self.weights)
        return model.eval()

    def load_data(self) -> Data:
        """The data of the run, split as in training.

        Raises:
            RunError: the run was trained on arrays in memory.
            DataError: the data are no longer the same.
        """
        if not self.data["source"]:
            raise RunError(
                f"{self.folder} was trained on arrays in memory, which a run does not keep",
                "Give the data: --data SOURCE.",
            )
        data = load_data(self.data["source"], **self.data["options"])
        if data.fingerprint != self.data["fingerprint"]:
            raise DataError(
                f"The data at {self.data['source']} are not those that {self.folder} was "
                "trained on: their fingerprint has changed",
                "Bring the old data back, or train again.",
            )
        return data

    def log(self) -> list[dict[str, Any]]:
        """The lines of `log.jsonl`; a last line that a kill cut off is left out."""
        path = self.folder / "log.jsonl"
        if not path.exists():
            return []
        lines = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        return lines

    def metrics(self) -> dict[str, Any] | None:
        """What the last evaluation found; None before the first."""
        path = self.folder / "metrics.json"
        return read_json(path) if path.exists() else None


def data_record(data: Data) -> dict[str, Any]:
    """What a run keeps of its data: enough to load the same again and to know it."""
    return {
        "name": data.name,
        "source": data.source,
        "options": dict(data.options),
        "fingerprint": data.fingerprint,
        "classes": list(data.classes),
    }


def open_run(folder: str | Path) -> Run:
    """The run in a folder.

    Raises:
        RunError: the folder is missing, no run, half-written, or of a newer version.
        RecipeError: its recipe names parts that this version does not have.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"There is no run at {folder}", "Train one: autoencode train --help")
    record = read_json(folder / "run.json")
    version = record.pop("format", None)
    if not isinstance(version, int) or version > FORMAT:
        raise RunError(
            f"{folder} needs format {version}, and this version reads up to {FORMAT}",
            "Update: pip install --upgrade autoencode.",
        )
    recipe = Recipe.from_dict(read_json(folder / "recipe.json"))
    try:
        sizes = record.pop("sizes")
        x, z = (tuple(int(n) for n in sizes.pop(name)) for name in ("x", "z"))
        return Run(folder, recipe, Sizes(x, z, **sizes), **record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder / 'run.json'} is not that of a run ({error})") from error


def load_weights(model: nn.Module, tensors: Mapping[str, Any], source: Path) -> None:
    """Puts tensors into a model, all of them and no others.

    Raises:
        RunError: a tensor is missing, too many, or of another shape.
    """
    wanted = model.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{name} is unknown" for name in tensors if name not in wanted]
    wrong += [
        f"{name} is {list(tensors[name].shape)} and not {list(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise RunError(
            f"The weights in {source} do not fit the recipe beside them: "
            f"{'; '.join(wrong[:4])}{more}",
            "Use the recipe.json that they were trained with.",
        )
    model.load_state_dict(dict(tensors), strict=True)


def load(folder: str | Path) -> SlotAutoencoder:
    """The trained model of a run: `load("runs/vae")`. On the CPU and in evaluation mode.

    Raises:
        RunError: there is no such run, or its weights are damaged.
    """
    return open_run(folder).load_model()
