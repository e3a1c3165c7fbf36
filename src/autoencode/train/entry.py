"""`fit` and `resume`: training from the first step, from a checkpoint, and of a finished run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import RunError
from autoencode.io.progress import say
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.models.run import Run, open_run, preprocessing_of
from autoencode.train.distributed import TrainingGroup, join
from autoencode.train.session import (
    FitResult,
    Session,
    continued_session,
    new_session,
    resumed_session,
)


def fit(
    recipe: Recipe | str,
    data: Data | Any,
    *,
    latent: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    on_validation: Callable[[int, Mapping[str, Any]], None] | None = None,
    **settings: Any,
) -> FitResult:
    """Trains a recipe on data.

    recipe: a recipe of the table by name, or a `Recipe` of your own.
    data: what `load_data` returned, or anything that it takes. With the setting `init`, the latter
        is preprocessed as for that run.
    latent: latent dimensions, where they are not the recipe's.
    out: the folder of the run; None keeps everything in memory.
    overwrite: replace the run that is in the folder.
    progress: show a progress bar; None shows it on a terminal and in a notebook.
    on_validation: called after each validation with the step and its loss, terms and squared_error;
        an error that it raises ends the training.
    settings: see `Settings`. Torch's global random state is restored afterwards.

    In a script that `torchrun` started, its processes train one model together: each calls `fit`
    with the same arguments and gets the trained model, and the first one writes the run, which the
    others have as None.

    Raises:
        RecipeError, DataError: the training has no meaning as it is asked for.
        RunError: the folder is in use or cannot be written.
        Diverged: the loss is not finite or has exploded, or the model is worse than the mean
            example after 1,000 steps or more.     ResourceError: memory or disk ran out.
        Interrupted: Ctrl-C or SIGTERM, after saving.

    >>> import autoencode as ae
    >>> fitted = ae.fit("vae", "digits", latent=2, steps=10)
    >>> codes, images = fitted.model(fitted.data.test.x)
    >>> codes.shape, images.shape
    (torch.Size([359, 2]), torch.Size([359, 8, 8]))
    """
    group = join()

    def prepared() -> Session:
        chosen = recipe_named(recipe) if isinstance(recipe, str) else recipe
        chosen = chosen if latent is None else chosen.but(latent=latent)
        loaded, init = data, settings.get("init")
        if not isinstance(loaded, Data):
            known = None if init is None else preprocessing_of(init)
            loaded = load_data(loaded, preprocessing=known)
        folder = None if out is None else Path(out)
        return new_session(chosen, loaded, settings, folder, progress, group)

    with group.quiet():
        # All checks are made before there is a folder, and before an old run is replaced.
        session = group.together(prepared)
        for notice in session.notices:
            say(notice)
        session.trainer.on_validation = on_validation
        return session.train(overwrite)


def resume(
    folder: str | Path,
    *,
    data: Any = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    on_validation: Callable[[int, Mapping[str, Any]], None] | None = None,
    **settings: Any,
) -> FitResult:
    """Resumes an interrupted run, or trains a finished run for more steps.

    An interrupted run goes on from its newest checkpoint, to the weights of an uninterrupted
    training. It takes no `out`, no `overwrite` and no `settings`.

    A finished run is trained for `steps` more steps, or `epochs` more epochs, into a new run; its
    own folder stays as it is. The new run begins with its weights, settings and log, and counts its
    steps. The optimiser is new, and the schedule of the learning rate, its warm-up included, begins
    anew and ends after the new steps: a finished run keeps no state of them. Schedules of the
    recipe go on.

    folder: the folder of the run.
    data: only for a run that was trained on arrays in memory.
    out: the folder of the new run; None keeps everything in memory.
    overwrite: replace the run that is in the folder `out`, which may be the finished run itself.
    progress, on_validation: as of `fit`.
    settings: `steps` or `epochs`, and settings that are to differ, such as `lr`; see `Settings`.

    Raises:
        RunError: the folder is no run, is in use, or holds no complete checkpoint; or a finished
            run without a number of steps.
        DataError: the data have changed since.   Else as `fit`.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/first")
    >>> ae.resume("runs/first", steps=5, out="runs/more").summary["steps"]
    15
    """
    group = join()
    new = None if out is None else Path(out)
    with group.quiet():
        # The other processes may have no such folder.
        run = group.first(lambda: open_run(folder))
        session = group.together(lambda: _resumed(run, data, new, progress, settings, group))
        session.trainer.on_validation = on_validation
        return session.train(overwrite)


def _resumed(
    run: Run,
    data: Any,
    out: Path | None,
    progress: bool | None,
    settings: Mapping[str, Any],
    group: TrainingGroup,
) -> Session:
    """The training of an unfinished run, or one that continues a finished run; see `resume`."""
    _check_status(run, settings, out)
    if data is None:
        data = run.load_data()
    elif not isinstance(data, Data):
        data = run.data_for(data)
    if data.fingerprint != run.data["fingerprint"]:
        raise RunError(
            f"The data given are not those that {run.folder} was trained on",
            f"Give its own data, {run.data['name']}, read with the same options.",
        )
    if run.status != "done":
        return resumed_session(run, data, progress, group)
    if out is not None and run.network_sha256 and out.resolve() == run.folder.resolve():
        raise RunError(
            f"{run.folder} holds the code of its network, so it cannot be replaced by a training "
            "that uses it",
            "Choose another --out.",
        )
    return continued_session(run, data, settings, out, progress, group)


def _check_status(run: Run, settings: Mapping[str, Any], out: Path | None) -> None:
    """Refuses a finished run without steps, and an unfinished run with settings or a new folder.

    Raises:
        RunError: as said.
    """
    more = settings.get("steps") or settings.get("epochs")
    if run.status == "done" and more is None:
        raise RunError(
            f"{run.folder} is done: {run.summary['steps']:,} steps",
            f"Evaluate it: autoencode evaluate {run.folder}. Train it for more: "
            f"autoencode train --continue {run.folder} --steps 1000, or in Python: "
            f'ae.resume("{run.folder}", steps=1000, out="{run.folder}-more")',
        )
    if run.status == "done" and settings.get("init") is not None:
        raise RunError(
            f"The training of {run.folder} goes on from its own weights, and init was given",
            f"Leave --init out, or train anew: autoencode train {run.recipe.name} --init RUN.",
        )
    if run.status != "done" and (settings or out is not None):
        raise RunError(
            f"{run.folder} is not finished: its status is {run.status}, and it can only be resumed "
            "with its own settings, in its own folder",
            f"Finish it first: autoencode resume {run.folder}",
        )
