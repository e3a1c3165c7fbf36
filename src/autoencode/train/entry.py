"""`fit` and `resume`: training from the first step, and from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import RunError
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.models.run import open_run
from autoencode.train.session import FitResult, new_session, resumed_session


def fit(
    recipe: Recipe | str,
    data: Data | Any,
    *,
    latent: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **settings: Any,
) -> FitResult:
    """Trains a recipe on data.

    recipe: a recipe of the table by name, or a `Recipe` of your own.
    data: what `load_data` returned, or anything that it takes.
    latent: latent dimensions, where they are not the recipe's.
    out: the folder of the run; None keeps everything in memory.
    overwrite: replace the run that is in the folder.
    progress: show a progress bar; None shows it on a terminal and in a notebook.
    settings: see `Settings`. Torch's global random state is restored afterwards.

    Raises:
        RecipeError, DataError: the training has no meaning as it is asked for.
        RunError: the folder is in use or cannot be written.
        Diverged: the loss is not finite.     ResourceError: memory or disk ran out.
        Interrupted: Ctrl-C or SIGTERM, after saving.
    """
    recipe = recipe_named(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if latent is None else recipe.but(latent=latent)
    data = data if isinstance(data, Data) else load_data(data)
    folder = None if out is None else Path(out)
    # All checks are made before there is a folder, and before an old run is replaced.
    return new_session(recipe, data, settings, folder, progress).train(overwrite)


def resume(folder: str | Path, *, data: Any = None, progress: bool | None = None) -> FitResult:
    """Resumes a run from its newest checkpoint, to the weights of an uninterrupted training.

    data: only for a run that was trained on arrays in memory.

    Raises:
        RunError: the folder is no run, is done, is in use, or holds no complete checkpoint.
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
        data = run.data_for(data)
    if data.fingerprint != run.data["fingerprint"]:
        raise RunError(
            f"The data given are not those that {run.folder} was trained on",
            f"Give its own data, {run.data['name']}, read with the same options.",
        )
    return resumed_session(run, data, progress).train()
