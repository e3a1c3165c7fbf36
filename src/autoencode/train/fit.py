"""Training from the first step to a finished run, and continuing one that was cut short."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autoencode.data import Data, load_data
from autoencode.errors import (
    AutoencodeError,
    DataError,
    Diverged,
    Interrupted,
    RecipeError,
    RunError,
)
from autoencode.models.build import Model, build, sizes_for
from autoencode.models.conditions import context_width
from autoencode.models.own_code import keep_code
from autoencode.models.recipe import Recipe
from autoencode.models.recipes import recipe_named
from autoencode.models.run import Run, begin_with, data_record, open_run
from autoencode.models.store import read_json
from autoencode.train.folder import (
    discard_unstarted,
    environment,
    locked,
    make_folder,
    memory_errors,
    write_environment,
)
from autoencode.train.loop import Loop
from autoencode.train.settings import Settings
from autoencode.train.stage import fit_sampler


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    model: on the CPU, in evaluation mode.   summary: steps, seconds, images_per_second, ….
    data: what it was trained on.            run: its folder, where there is one.
    """

    model: Model
    summary: dict[str, Any]
    data: Data
    run: Run | None


def fit(
    recipe: Recipe | str,
    data: Data | Any,
    *,
    latent: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **settings: Any,
) -> Fitted:
    """Trains a recipe on data.

    recipe: a row of the table by name, or a recipe of your own.
    data: what `load_data` gave, or anything that it takes.
    latent: numbers in a code, where they are not the recipe's.
    out: the folder of the run; None keeps everything in memory.
    settings: see `Settings`. Torch's global random state is left as it was.

    Raises:
        RecipeError, DataError: what was asked for has no meaning.
        RunError: the folder is in use or cannot be written.
        Diverged: the loss is not finite.     ResourceError: memory or disk ran out.
        Interrupted: Ctrl-C or SIGTERM, after saving.
    """
    recipe = recipe_named(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if latent is None else recipe.but(latent=latent)
    chosen = Settings.of(recipe, settings)
    data = data if isinstance(data, Data) else load_data(data)
    if settings.get("augment") and len(data.shape) < 2:
        raise DataError(
            "Only images can be turned and stretched, and these are vectors",
            "Leave --augment out.",
        )
    y, mixed = data.train.y, chosen.labelled is not None
    sizes = sizes_for(
        recipe,
        data.shape,
        context=context_width(recipe, data),
        n=len(data.train),
        labelled=(y >= 0).double().mean().item() if mixed and y is not None else None,
    )
    model = build(recipe, sizes, seed=chosen.seed)
    if chosen.init is not None:
        chosen = replace(chosen, init=str(Path(chosen.init).absolute()))
        begin_with(model, open_run(chosen.init))
    folder = None if out is None else Path(out)
    # What is refused is refused before there is a folder, and before an old run is replaced.
    loop = _loop(model, recipe, data, chosen, folder, progress)
    if folder is None:
        with _seeded(loop, chosen.seed), memory_errors(chosen.batch_size):
            loop.run()
            fit_sampler(model, recipe, data, chosen.seed)
        return Fitted(model.cpu().eval(), loop.summary(), data, None)
    make_folder(folder, overwrite)
    with locked(folder):
        try:
            kept, digest = keep_code(recipe, folder)
            run = Run(
                folder,
                kept,
                sizes,
                "running",
                data_record(data),
                chosen.to_dict(),
                loop.summary(),
                digest,
            )
            run.write()
            write_environment(folder)
            with _seeded(loop, chosen.seed):
                return _finish(run, loop, model, data)
        except BaseException:
            discard_unstarted(folder)
            raise


def resume(folder: str | Path, *, data: Any = None, progress: bool | None = None) -> Fitted:
    """Continues a run from its newest checkpoint, to the weights it would have had anyway.

    data: only for a run that was trained on arrays in memory.

    Raises:
        RunError: the folder is no run, is done, is in use, or holds no whole checkpoint.
        DataError: the data have changed since.   Else as `fit`.
    """
    run = open_run(folder)
    if run.status == "done":
        raise RunError(
            f"{run.folder} is done: {run.summary['steps']:,} steps",
            f"Evaluate it: autoencode evaluate {run.folder}",
        )
    if data is None:
        data = run.load_data()
    elif not isinstance(data, Data):
        data = load_data(data)
    if data.fingerprint != run.data["fingerprint"]:
        raise RunError(
            f"The data given are not those that {run.folder} was trained on",
            f"Give its own, {run.data['name']}, read with the same options.",
        )
    settings = _settings(run)
    with locked(run.folder):
        model = build(run.recipe, run.sizes, seed=settings.seed)
        loop = _loop(model, run.recipe, data, settings, run.folder, progress)
        with _seeded(loop, settings.seed):
            for sentence in loop.restore():
                warnings.warn(f"{sentence}; continuing from the one before it", stacklevel=2)
            _warn_of_changes(run)
            return _finish(run, loop, model, data)


def _settings(run: Run) -> Settings:
    """The settings of a run, as its `run.json` has them."""
    try:
        return Settings.of(run.recipe, run.settings)
    except RecipeError as error:
        raise RunError(f"{run.folder / 'run.json'}: {error.what}", error.fix) from error


def _loop(
    model: Model,
    recipe: Recipe,
    data: Data,
    settings: Settings,
    folder: Path | None,
    progress: bool | None,
) -> Loop:
    with memory_errors(settings.batch_size):
        return Loop(model, recipe, data, settings, folder, progress)


def _finish(run: Run, loop: Loop, model: Model, data: Data) -> Fitted:
    try:
        with memory_errors(loop.settings.batch_size):
            loop.run()
            fit_sampler(model, run.recipe, data, loop.settings.seed)
    except (Interrupted, Diverged) as stopped:
        status = "interrupted" if isinstance(stopped, Interrupted) else "diverged"
        replace(run, status=status, summary=loop.summary()).write()
        raise
    model.cpu().eval()
    run.write_weights(model)
    done = replace(run, status="done", summary=loop.summary())
    done.write()
    # Only now is nothing left to continue.
    shutil.rmtree(run.folder / "state", ignore_errors=True)
    return Fitted(model, loop.summary(), data, done)


@contextmanager
def _seeded(loop: Loop, seed: int) -> Iterator[None]:
    """Noise from this seed; afterwards torch's random state is what it was before."""
    cuda = [torch.cuda.current_device()] if loop.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        yield


def _warn_of_changes(run: Run) -> None:
    try:
        then = read_json(run.folder / "environment.json")
    except AutoencodeError:
        then = {}
    now = environment()
    changed = [
        f"{name} was {then[name]} and is {now[name]}"
        for name in ("autoencode", "torch", "threads", "processor")
        if name in then and then[name] != now[name]
    ]
    if changed:
        warnings.warn(
            f"The continuation will not be bit for bit what it would have been: "
            f"{'; '.join(changed)}",
            stacklevel=3,
        )
