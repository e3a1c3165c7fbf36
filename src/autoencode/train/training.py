"""One training from its folder to its finished run."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autoencode.data import Data
from autoencode.errors import (
    AutoencodeError,
    DataError,
    Diverged,
    Interrupted,
    RecipeError,
    RunError,
)
from autoencode.io.store import read_json
from autoencode.models.build import Model, build, sizes_for
from autoencode.models.conditions import context_width
from autoencode.models.network_code import save_network_code
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, data_record, initialise_from, open_run
from autoencode.train.fitting import fit_sampler
from autoencode.train.run_folder import (
    discard_unstarted,
    environment,
    locked,
    make_folder,
    memory_errors,
    write_environment,
)
from autoencode.train.settings import Settings
from autoencode.train.trainer import Loop


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


@dataclass
class Training:
    """A training, its data and its run, which is there from `begun` on where it has a folder."""

    loop: Loop
    data: Data
    folder: Path | None
    run: Run | None = None

    @contextmanager
    def begun(self, overwrite: bool) -> Iterator[None]:
        """Makes its folder, which is held as long as this lasts.

        Raises:
            RunError: the folder is in use or cannot be written.
        """
        if self.folder is None:
            yield
            return
        loop, folder = self.loop, self.folder
        make_folder(folder, overwrite)
        with locked(folder):
            try:
                kept, digest = save_network_code(loop.recipe, folder)
                self.run = Run(
                    folder,
                    kept,
                    loop.model.sizes,
                    "running",
                    data_record(self.data),
                    loop.settings.to_dict(),
                    loop.summary(),
                    digest,
                )
                self.run.write()
                write_environment(folder)
                yield
            except BaseException:
                discard_unstarted(folder)
                raise

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Goes back to its newest checkpoint; its folder is held as long as this lasts.

        Raises:
            RunError: the folder is in use, or holds no whole checkpoint.
        """
        assert self.run is not None
        with locked(self.run.folder):
            for sentence in self.loop.restore():
                warnings.warn(f"{sentence}; continuing from the one before it", stacklevel=5)
            _warn_of_changes(self.run)
            yield

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """Noise from its seed; afterwards torch's random state is what it was before."""
        cuda = [torch.cuda.current_device()] if self.loop.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(self.loop.settings.seed)
            yield

    def trained(self) -> Fitted:
        """Trains to the end; raises as `fit` does, and then the run says why it stopped."""
        with self.recorded():
            self.loop.run()
        return self.finished()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """What stops it is written into its run."""
        try:
            with memory_errors(self.loop.settings.batch_size):
                yield
        except (Interrupted, Diverged) as error:
            self.stopped(error)
            raise

    def stopped(self, error: AutoencodeError) -> None:
        """Lets the run say why it was not trained to the end."""
        if self.run is not None:
            status = "interrupted" if isinstance(error, Interrupted) else "diverged"
            replace(self.run, status=status, summary=self.loop.summary()).write()

    def finished(self) -> Fitted:
        """What was trained, with its sampler, as a run that is done where it has a folder."""
        loop, model = self.loop, self.loop.model
        with self.recorded():
            fit_sampler(model, loop.recipe, self.data, loop.settings.seed)
        model.cpu().eval()
        if self.run is None:
            return Fitted(model, loop.summary(), self.data, None)
        self.run.write_weights(model)
        done = replace(self.run, status="done", summary=loop.summary())
        done.write()
        # Only now is nothing left to continue.
        shutil.rmtree(done.folder / "state", ignore_errors=True)
        return Fitted(model, loop.summary(), self.data, done)


def prepared(
    recipe: Recipe,
    data: Data,
    settings: Mapping[str, Any],
    folder: Path | None,
    progress: bool | None,
    held: Data | None = None,
) -> Training:
    """A training before its first step; arguments as of `fit`.

    held: the same data where the training reads them; None is where they are.

    Raises:
        RecipeError, DataError: what was asked for has no meaning.
    """
    chosen = Settings.of(recipe, settings)
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
    if (init := chosen.init) is not None:
        chosen = replace(chosen, init=str(Path(init).absolute()))
        initialise_from(model, open_run(init))
    loop = _loop(model, recipe, held or data, chosen, folder, progress)
    return Training(loop, data, folder)


def interrupted(run: Run, data: Data, progress: bool | None, held: Data | None = None) -> Training:
    """A training that was cut short, before it is `restored`; arguments as of `prepared`.

    Raises:
        RunError: its settings are none of this version.
    """
    settings = _settings(run)
    model = build(run.recipe, run.sizes, seed=settings.seed)
    loop = _loop(model, run.recipe, held or data, settings, run.folder, progress)
    return Training(loop, data, run.folder, run)


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
            stacklevel=6,
        )
