"""A run folder: a model, its configuration and training, and the results of its evaluation.

recipe.json          the recipe
run.json             sizes, data, training settings, status and progress
network.py           a copy of the file of a custom network
weights.safetensors  the trained weights
critics.safetensors  the critics of adversarial terms, for evaluation alone
state/               the state for exact resuming
log.jsonl            training and validation values, one line each
metrics.json         the evaluation on the test data
evaluation/          the results of each measure
projections/         projections of the test codes
figures/ report.html card.md environment.json
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import nn

from autoencode.contract import Sizes
from autoencode.data import Data, Preprocessing, load_data, load_new
from autoencode.data.named.catalogue import SOURCES
from autoencode.data.options import Options
from autoencode.errors import AutoencodeError, DataError, RecipeError, RunError, did_you_mean
from autoencode.io.files import shown
from autoencode.io.hub import HubName, download, hub_address, is_hub_name
from autoencode.io.store import FORMAT, read_json, write_json
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.build import MAX_PARAMETERS, Model, build, build_skeleton
from autoencode.models.critics import read_critics, write_critics
from autoencode.models.network_code import saved_recipe, with_saved_network
from autoencode.models.recipe import Recipe
from autoencode.models.run_files import check_record
from autoencode.models.training_log import read_log
from autoencode.models.weights import misfits


@dataclass(frozen=True)
class Run:
    """A run folder and the content of its `recipe.json` and `run.json`.

    status: "running", "done", "interrupted" or "diverged".
    data: source, options, fingerprint, name and classes, see `data_record`.
    settings: training settings, see `autoencode.train.Settings`.
    summary: steps, seconds, images_per_second and device of the training so far.
    network_sha256: SHA-256 of `network.py`, for a custom network.
    notices: sentences on what the training chose or changed for its data.
    """

    folder: Path
    recipe: Recipe
    sizes: Sizes
    status: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    network_sha256: str | None = None
    notices: Sequence[str] = ()

    @property
    def address(self) -> str:
        """What opens the run: its folder, or "hf:owner/name@commit" of a run from the hub."""
        return hub_address(self.folder) or str(self.folder)

    @property
    def name(self) -> str:
        """A short name: that of the folder, or "owner/name" of a run from the hub."""
        found = hub_address(self.folder)
        return self.folder.name if found is None else found.removeprefix("hf:").partition("@")[0]

    @property
    def weights(self) -> Path:
        """The path of the trained weights."""
        return self.folder / "weights.safetensors"

    def write(self) -> None:
        """Writes `recipe.json` and `run.json`; the folder exists."""
        write_json(self.folder / "recipe.json", saved_recipe(self.recipe))
        record = asdict(self)
        del record["folder"], record["recipe"]
        write_json(self.folder / "run.json", {"format": FORMAT, **record})

    def write_weights(self, model: Model) -> None:
        """Writes `weights.safetensors`, and `critics.safetensors` of a model with critics."""
        header = {"recipe": saved_recipe(self.recipe)}
        if (preprocessing := self.data.get("preprocessing")) is not None:
            header["preprocessing"] = preprocessing
        write_tensors(self.weights, model.state_dict(), header)
        write_critics(self.weights, model.critics)

    def load_model(self) -> Model:
        """The trained model, on the CPU and in evaluation mode.

        Raises:
            RunError: training has not finished, or the weights are damaged or of other shapes.
        """
        if self.status == "diverged":
            raise RunError(
                f"{self.folder} has no trained weights: its training diverged",
                "Train again, with a smaller step size (--lr).",
            )
        if self.status != "done":
            raise RunError(
                f"{self.folder} has no trained weights yet: its status is {self.status}",
                f"Continue it: autoencode resume {self.folder}",
            )
        tensors = read_tensors(self.weights)[0]
        model = model_with(self.recipe, self.sizes, tensors, self.weights)
        model.preprocessing = self.preprocessing
        model.critics = read_critics(self.weights, model)
        return model.eval()

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How raw data become the tensors of the model; None in runs of older versions."""
        record = self.data.get("preprocessing")
        return None if record is None else Preprocessing.from_dict(record)

    def load_data(self) -> Data:
        """The data of the run, split as in training.

        Raises:
            RunError: the run was trained on arrays in memory, or is a shared one whose data are
                not here.
            DataError: the data have changed.
        """
        if not self.data["source"]:
            raise RunError(
                f"{self.folder} was trained on arrays in memory, which a run does not save",
                "Give the data: --data SOURCE.",
            )
        source = self.data["source"]
        # What is shared has the name of its data, and not their folder.
        if source not in SOURCES and not (Path(source).is_absolute() or os.path.lexists(source)):
            raise RunError(
                f"{shown(source)} does not exist here, and {self.address} was trained on it",
                "Give the data: --data SOURCE.",
            )
        data = load_data(source, preprocessing=self.preprocessing, **self._options())
        if data.fingerprint != self.data["fingerprint"]:
            raise DataError(
                f"The data at {self.data['source']} are not those that {self.folder} was "
                "trained on: their fingerprint has changed",
                "Restore the original data, or train again.",
            )
        return data

    def data_for(self, source: Any = None, *, training: bool = True, **options: Any) -> Data:
        """The data of the run, or other data preprocessed as in its training.

        source: anything that `load_data` takes; None for the data of the run. Data with the content
            that the run was trained on are divided as in its training. Of other data all examples
            are in the test part; the training and validation part are those of the run, or empty
            where its data cannot be loaded any more.
        training: whether to load the training part of the run beside new data.
        options: how the source is read, see `load_data`.

        Raises:
            DataError: the data do not fit the model, or have classes that it does not know.
        """
        if source is None and not options:
            return self.load_data()
        source = self.data["source"] if source is None else source
        if self.preprocessing is None:
            return source if isinstance(source, Data) else load_data(source, **options)
        if isinstance(source, Data):
            return source
        try:
            same = load_data(
                source, preprocessing=self.preprocessing, **{**self._options(), **options}
            )
            if same.fingerprint == self.data["fingerprint"]:
                return same
        except DataError:
            pass  # they are other data, for which the options of the run need not fit
        new = load_new(source, self.preprocessing, **options)
        n = len(new.test)
        notice = f"{n:,} example{'' if n == 1 else 's'}, all new data, preprocessed as in training."
        if not training:
            return replace(new, notices=(*new.notices, notice))
        train, validation = new.train, new.validation
        try:
            own = self.load_data()
            train, validation = own.train, own.validation
        except AutoencodeError as error:
            notice += (
                f" The training data cannot be loaded ({error.what}), so what needs them is left "
                "out."
            )
        return replace(new, train=train, validation=validation, notices=(*new.notices, notice))

    def _options(self) -> dict[str, Any]:
        """The options with which the data of the run were read.

        Raises:
            RunError: run.json has an option that does not exist.
        """
        options, allowed = self.data["options"], [f.name for f in fields(Options)]
        for name in options:
            if name not in allowed:
                raise RunError(
                    f'{self.folder / "run.json"}: there is no option "{name}" of data',
                    did_you_mean(name, allowed),
                )
        return dict(options)

    def log(self) -> list[dict[str, Any]]:
        """The lines of `log.jsonl`, see `read_log`."""
        return read_log(self.folder / "log.jsonl")

    def metrics(self) -> dict[str, Any] | None:
        """The result of the last evaluation; None before the first."""
        path = self.folder / "metrics.json"
        return read_json(path) if path.exists() else None


def data_record(data: Data) -> dict[str, Any]:
    """The record of the data in `run.json`, which suffices to load and to verify them."""
    return {
        "name": data.name,
        "source": data.source,
        "options": dict(data.options),
        "fingerprint": data.fingerprint,
        "classes": list(data.classes),
        "preprocessing": data.preprocessing and data.preprocessing.to_dict(),
    }


def open_run(folder: str | Path) -> Run:
    """Opens the run in a folder, or of a repository on the Hugging Face hub.

    folder: a folder, or "hf:owner/name", or "hf:owner/name@revision" with a branch, tag or commit.
        A run from the hub is downloaded to the cache of the hub, and is read-only.

    Raises:
        RunError: the folder is missing, not a run, incomplete, or of a newer version; or it has a
            custom network that is not trusted, see `network_code`.
        RecipeError: its recipe names parts that this version does not have.
        AutoencodeError: there is no such repository, or the hub cannot be reached.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/ae")
    >>> run = ae.open_run("runs/ae")
    >>> run.status, run.recipe.name, run.summary["steps"]
    ('done', 'ae', 10)
    """
    if is_hub_name(folder):
        folder = download(HubName.parse(str(folder))).folder
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"There is no run at {folder}", "Train one: autoencode train --help")
    record = read_json(folder / "run.json")
    version = record.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise RunError(
            f"{folder} needs format {version}, and this version reads up to {FORMAT}",
            "Update: pip install --upgrade autoencode.",
        )
    try:
        check_record(record)
        del record["format"]
        sizes = record.pop("sizes")
        x, z = tuple(sizes.pop("x")), tuple(sizes.pop("z"))
        if math.prod((*x, *z)) > MAX_PARAMETERS:
            raise RecipeError(f"sizes {list(x)} and {list(z)} are too large")
        if (given := record["data"].get("preprocessing")) is not None:
            shape = Preprocessing.from_dict(given).shape
            if shape != x:
                raise RecipeError(f"sizes.x is {list(x)}, and the preprocessed shape {list(shape)}")
    except RecipeError as error:
        raise RunError(f"{folder / 'run.json'} is not valid: {error}") from error
    recipe = _recipe(folder / "recipe.json", record.get("network_sha256"))
    return Run(folder, recipe, Sizes(x, z, **sizes), **record)


def _recipe(path: Path, network_sha256: str | None) -> Recipe:
    """Reads a recipe; error messages name the file."""
    given = with_saved_network(read_json(path), path.parent, network_sha256)
    try:
        return Recipe.from_dict(given)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error.what}", error.fix) from error


def model_with(recipe: Recipe, sizes: Sizes, tensors: Mapping[str, Any], source: Path) -> Model:
    """The model of a recipe with these weights; they are checked before memory is taken for it.

    Raises:
        RunError: as `load_weights`.
    """
    skeleton = build_skeleton(recipe, sizes)
    if skeleton is not None:
        check_weights(skeleton, tensors, source)
    model = build(recipe, sizes, seed=0)
    load_weights(model, tensors, source)
    return model


def load_weights(model: nn.Module, tensors: Mapping[str, Any], source: Path) -> None:
    """Loads tensors into a model; names, shapes and types must match exactly.

    Raises:
        RunError: as `check_weights`.
    """
    check_weights(model, tensors, source)
    model.load_state_dict(dict(tensors), strict=True)


def check_weights(model: nn.Module, tensors: Mapping[str, Any], source: Path) -> None:
    """Checks that tensors have the names, shapes and types of a model's weights.

    Raises:
        RunError: a tensor is missing, unknown, or of another shape or type.
    """
    if wrong := misfits(model.state_dict(), tensors):
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise RunError(
            f"The weights in {source} do not fit the recipe in the same folder: "
            f"{'; '.join(wrong[:4])}{more}",
            "Use the recipe.json that they were trained with.",
        )


def initialise_from(model: Model, run: Run, data: Data) -> None:
    """Copies the weights of a trained run to a new model, where names and shapes agree.

    Encoder and decoder must agree completely. A prior or sampler that differs keeps its initial
    weights.

    Raises:
        RunError: the run is not done, or its encoder or decoder differs.
        DataError: the data were preprocessed in another way than those of the run.
    """
    theirs, ours_too = run.preprocessing, data.preprocessing
    if theirs and ours_too and not theirs.same_units(ours_too):
        raise DataError(
            f"The data were preprocessed in another way than those of {run.folder}, whose weights "
            f"training starts from: {ours_too}, and there {theirs}",
            "Give the same options, or in Python: load_data(source, "
            f'preprocessing=ae.load("{run.folder}").preprocessing).',
        )
    tensors = run.load_model().state_dict()
    wanted = model.state_dict()
    fit = {
        name: t for name, t in tensors.items() if name in wanted and t.shape == wanted[name].shape
    }
    for half in ("encoder", "decoder"):
        ours = {name for name in wanted if f"{half}." in name}
        if wrong := sorted(ours ^ {name for name in fit if f"{half}." in name}):
            raise RunError(
                f"The {half} of {run.folder} differs from that of the model to be trained: "
                f"{wrong[0]} is missing, or of another shape",
                "Use a run with the same network, bottleneck and latent size.",
            )
    model.load_state_dict(fit, strict=False)


def preprocessing_of(folder: str | Path) -> Preprocessing | None:
    """The preprocessing of a run for other training data, which may have other classes.

    Raises:
        RunError: there is no such run.
    """
    preprocessing = open_run(folder).preprocessing
    return None if preprocessing is None else preprocessing.with_classes(())


def load(folder: str | Path) -> Model:
    """Loads the trained model of a run, `load("runs/vae")`, on the CPU, in evaluation mode.

    folder: the folder of a run, or "hf:owner/name" for a run on the Hugging Face hub.

    Raises:
        RunError: there is no such run, or its weights are damaged.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/ae")
    >>> ae.load("runs/ae").sizes.x
    (8, 8)
    """
    return open_run(folder).load_model()
