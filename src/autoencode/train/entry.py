"""Training from the first step to a finished run, and continuing one that was cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import AutoencodeError, RunError
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.models.run import open_run
from autoencode.train.checks import not_compiled
from autoencode.train.lockstep.alike import train_together
from autoencode.train.lockstep.draws import Untraceable
from autoencode.train.trainer import Loop
from autoencode.train.training import Fitted, Training, interrupted, prepared


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
    data = data if isinstance(data, Data) else load_data(data)
    folder = None if out is None else Path(out)
    # What is refused is refused before there is a folder, and before an old run is replaced.
    return _carried_out(prepared(recipe, data, settings, folder, progress), overwrite, progress)


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
    return _carried_out(interrupted(run, data, progress), False, progress)


def _carried_out(training: Training, replacing: bool, progress: bool | None) -> Fitted:
    """Trains from the beginning, or from where its run was cut short."""
    if is_recorded(training.loop):
        try:
            (found,) = train_together([training], [replacing], progress)
        except Untraceable as error:
            raise not_compiled(error) from error
        if isinstance(found, AutoencodeError):
            raise found
        return found
    started = training.begun(replacing) if training.run is None else training.restored()
    with training.seeded(), started:
        return training.trained()


def is_recorded(loop: Loop) -> bool:
    """Whether its updates are recorded and played back, as those of many models at once are.

    On a GPU, where starting an operation takes longer than the operation.
    """
    return loop.settings.compile == "on" and loop.device.type == "cuda"
