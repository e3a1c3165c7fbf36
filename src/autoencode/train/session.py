"""One training from its folder to its finished run."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoencode.data import Data
from autoencode.errors import (
    AutoencodeError,
    DataError,
    Diverged,
    Interrupted,
    Pruned,
    RecipeError,
    RunError,
)
from autoencode.io.hub import hub_address, is_hub_name
from autoencode.io.progress import say
from autoencode.io.store import read_json, write_bytes
from autoencode.models.adaptation import for_data
from autoencode.models.build import Model, build, sizes_for
from autoencode.models.conditions import context_width
from autoencode.models.critics import critic_terms, weights_of_critics
from autoencode.models.network_code import save_network_code, saved_recipe
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, data_record, initialise_from, open_run
from autoencode.train.checkpoint import Checkpoint, checkpoints
from autoencode.train.checks import notice_of_two_sigmoids, refuse_freezing, warn_of_missing_classes
from autoencode.train.distributed import ProcessLost, TrainingGroup
from autoencode.train.distributed_check import refuse_undivided
from autoencode.train.fitting import fit_sampler
from autoencode.train.precision import keep_random_state
from autoencode.train.run_folder import (
    discard_unstarted,
    environment,
    locked,
    make_folder,
    memory_errors,
    write_environment,
)
from autoencode.train.settings import Settings
from autoencode.train.start import start_at_data
from autoencode.train.trainer import Trainer


@dataclass(frozen=True)
class FitResult:
    """A trained model.

    model: on the CPU, in evaluation mode.   summary: steps, seconds, images_per_second, ….
    data: what it was trained on.            run: its folder; None where nothing was saved.
    """

    model: Model
    summary: dict[str, Any]
    data: Data
    run: Run | None


@dataclass
class Session:
    """A trainer and the folder of its run.

    run: there from `started` on, where the training has a folder.
    log: the lines of the log of the run that this training continues.
    notices: sentences on what the recipe changes for these data.
    """

    trainer: Trainer
    folder: Path | None
    run: Run | None = None
    log: Sequence[Mapping[str, Any]] = ()
    notices: Sequence[str] = ()

    def train(self, overwrite: bool = False) -> FitResult:
        """Trains to the end, from the start or from the newest checkpoint; raises as `fit`."""
        trainer, group = self.trainer, self.trainer.group
        if group.size > 1:
            # Machines may differ in what "auto" is.
            trainer.state.precision = group.first(lambda: trainer.state.precision)
            refuse_undivided(trainer.state, trainer.batches, trainer.recipe, trainer.data)
            say(group.line(trainer.batches.batch_size, trainer.state.device))
        if group.place.may_restart and group.is_first and self.run is None:
            self.run = self._left()
        with _seeded(trainer.settings.seed, trainer.state.device), ExitStack() as stack:
            group.first(lambda: stack.enter_context(self._opened(overwrite)))
            if group.size > 1:
                # Also of a new training: weights that start at the data may differ by rounding.
                start = group.first(lambda: Checkpoint.of(trainer.state))
                if not group.is_first:
                    start.restore(trainer.state)
            with self._recorded():
                trainer.run()
                weights = group.first(self._concluded)
                if not group.is_first:
                    trainer.state.objective.load_state_dict(weights)
            return self._finished()

    def _concluded(self) -> dict[str, Tensor]:
        """Checks the trained model and fits its sampler; returns all weights."""
        trainer = self.trainer
        for sentence in trainer.final_checks.end():
            warnings.warn(sentence, stacklevel=6)
        fit_sampler(trainer.model, trainer.recipe, trainer.data, trainer.settings.seed)
        return trainer.state.objective.state_dict()

    def _opened(self, overwrite: bool) -> AbstractContextManager[None]:
        return self._started(overwrite) if self.run is None else self._restored()

    def _left(self) -> Run | None:
        """The run of this training that is in its folder, which torchrun may have started again.

        How often it did is not counted in each process.
        """
        trainer = self.trainer
        if self.folder is None or not checkpoints(self.folder / "state"):
            return None
        run = open_run(self.folder)
        found = saved_recipe(run.recipe), run.settings, run.data["fingerprint"]
        own = saved_recipe(trainer.recipe), trainer.settings.to_dict(), trainer.data.fingerprint
        if found != own:
            return None
        say(f"the training in {run.folder} goes on from its last checkpoint")
        return run

    @contextmanager
    def _started(self, overwrite: bool) -> Iterator[None]:
        """Makes the folder and holds its lock.

        Raises:
            RunError: the folder is in use or cannot be written.
        """
        if self.folder is None:
            yield
            return
        trainer, folder = self.trainer, self.folder
        make_folder(folder, overwrite)
        with locked(folder):
            try:
                recipe, digest = save_network_code(trainer.recipe, folder)
                self.run = Run(
                    folder,
                    recipe,
                    trainer.model.sizes,
                    "running",
                    data_record(trainer.data),
                    trainer.settings.to_dict(),
                    trainer.summary(),
                    digest,
                    [*self.notices],
                )
                self.run.write()
                write_environment(folder)
                if self.log:
                    text = "".join(f"{json.dumps(line)}\n" for line in self.log)
                    write_bytes(folder / "log.jsonl", text.encode())
                yield
            except BaseException:
                discard_unstarted(folder)
                raise

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """Goes back to the newest complete checkpoint and holds the lock of the folder.

        Raises:
            RunError: the folder is in use, or holds no complete checkpoint.
        """
        assert self.run is not None
        with locked(self.run.folder):
            for sentence in self.trainer.restore():
                warnings.warn(f"{sentence}; continuing from the one before it", stacklevel=5)
            _warn_of_changes(self.run)
            yield

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Writes into the run why its training stopped."""
        try:
            with memory_errors(self.trainer.settings.batch_size):
                yield
        except AutoencodeError as error:
            group = self.trainer.group
            if isinstance(error, Interrupted | Pruned | Diverged):
                group.agree(error)
                group.first(partial(self._record, error))
            elif error.agreed is None and not isinstance(error, ProcessLost):
                error.agreed = False
            raise

    def _record(self, error: AutoencodeError) -> None:
        if self.run is None:
            return
        status = "diverged" if isinstance(error, Diverged) else "interrupted"
        if self.trainer.state.is_done:  # it failed by the checks at the end
            self.run.write_weights(self.trainer.model)
        replace(self.run, status=status, summary=self.trainer.summary()).write()

    def _finished(self) -> FitResult:
        """The trained model, as a run that is done where it has a folder."""
        trainer = self.trainer
        model = trainer.model.cpu().eval()
        model.preprocessing = trainer.data.preprocessing
        model.critics = weights_of_critics(trainer.state.objective)
        for module in trainer.state.objective.frozen:
            module.requires_grad_(True)
        trainer.group.first(self._write_done)
        return FitResult(model, trainer.summary(), trainer.data, self.run)

    def _write_done(self) -> None:
        if self.run is None:
            return
        self.run.write_weights(self.trainer.model)
        self.run = replace(self.run, status="done", summary=self.trainer.summary())
        self.run.write()
        # Only now is nothing left to resume.
        shutil.rmtree(self.run.folder / "state", ignore_errors=True)


def new_session(
    recipe: Recipe,
    data: Data,
    settings: Mapping[str, Any],
    folder: Path | None,
    progress: bool | None,
    group: TrainingGroup | None = None,
) -> Session:
    """A training before its first step; arguments as of `fit`.

    group: the processes that train the model together; None for this one alone.

    Raises:
        RecipeError, DataError: the training has no meaning as it is asked for.
    """
    recipe, notices = adapted(recipe, data, settings)
    chosen = Settings.of(recipe, settings)
    refuse_freezing(chosen)
    for name, change in (("augment", "augmented by affine maps"), ("flip", "mirrored")):
        if settings.get(name) and len(data.shape) < 2:
            raise DataError(
                f"Only images can be {change}, and these are vectors",
                f"Leave --{name} ({name}=) out.",
            )
    y, mixed = data.train.y, chosen.labelled is not None
    sizes = sizes_for(
        recipe,
        data.shape,
        context=context_width(recipe, data),
        n=len(data.train),
        bounded=not data.is_table,
        labelled=(y >= 0).double().mean().item() if mixed and y is not None else None,
    )
    warn_of_missing_classes(recipe, data)
    model = build(recipe, sizes, seed=chosen.seed)
    if (notice := notice_of_two_sigmoids(recipe, model)) is not None:
        notices = [*notices, notice]
    if (init := chosen.init) is None:
        start_at_data(model, data.train)
    else:
        chosen = replace(chosen, init=init if is_hub_name(init) else str(Path(init).absolute()))
        initialise_from(model, open_run(init), data)
    with memory_errors(chosen.batch_size):
        trainer = Trainer(model, recipe, data, chosen, folder, progress, group)
    return Session(trainer, trainer.folder, notices=notices)


def adapted(recipe: Recipe, data: Data, settings: Mapping[str, Any]) -> tuple[Recipe, list[str]]:
    """The recipe for these data and settings, see `for_data`, and a sentence for each change."""
    init = settings.get("init", recipe.training.get("init"))
    other = None if init is None else open_run(init).recipe
    return for_data(recipe, data, other, [name for name in settings if settings[name] is not None])


def resumed_session(
    run: Run, data: Data, progress: bool | None, group: TrainingGroup | None = None
) -> Session:
    """The training of a run that was interrupted, before its checkpoint is restored.

    Raises:
        RunError: its settings are not those of this version.
    """
    try:
        settings = Settings.of(run.recipe, run.settings)
    except RecipeError as error:
        raise RunError(f"{run.folder / 'run.json'}: {error.what}", error.fix) from error
    model = build(run.recipe, run.sizes, seed=settings.seed)
    with memory_errors(settings.batch_size):
        trainer = Trainer(model, run.recipe, data, settings, run.folder, progress, group)
    return Session(trainer, trainer.folder, run if trainer.group.is_first else None)


def continued_session(
    run: Run,
    data: Data,
    settings: Mapping[str, Any],
    folder: Path | None,
    progress: bool | None,
    group: TrainingGroup | None = None,
) -> Session:
    """A new training from the weights of a finished run; arguments as of `entry.resume`.

    Its settings are those of the run, replaced by `settings`, which hold the number of steps.

    Raises:
        RecipeError: the settings have no meaning.   RunError: the run has no trained weights.
    """
    model = run.load_model()
    done = {"done_steps": run.summary["steps"], "done_epochs": run.summary["epochs"]}
    given = {**run.settings, "epochs": None, **settings, **done}
    given["init"] = hub_address(run.folder) or str(run.folder.absolute())
    chosen = Settings.of(run.recipe, given)
    refuse_freezing(chosen)
    say(
        f"{run.folder} has no state of its optimiser: its training goes on from its weights at "
        f"step {chosen.done_steps:,}, with a new optimiser and a new schedule of the learning rate"
    )
    with memory_errors(chosen.batch_size):
        trainer = Trainer(model.train(), run.recipe, data, chosen, folder, progress, group)
    if model.critics:
        trainer.state.objective.terms.load_state_dict(dict(model.critics))
        if trainer.state.average is not None:
            trainer.state.average.restart()
    elif critic_terms(run.recipe):
        say(f"{run.folder} does not have the critics of its training: they begin untrained")
    trainer.state.seconds = run.summary["seconds"]
    return Session(trainer, trainer.folder, log=run.log(), notices=run.notices)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Noise from the seed; afterwards torch's random state is restored."""
    with keep_random_state(device):
        torch.manual_seed(seed)
        yield


def _warn_of_changes(run: Run) -> None:
    """Warns where the machine is not the one that the training began on."""
    try:
        then = read_json(run.folder / "environment.json")
    except AutoencodeError:
        then = {}
    now = environment()
    changed = [
        f"{name} was {then[name]} and is {now[name]}"
        for name in ("autoencode", "torch", "processes", "threads", "processor")
        if name in then and then[name] != now[name]
    ]
    if changed:
        warnings.warn(
            f"The resumed training will not be bit for bit the uninterrupted one: "
            f"{'; '.join(changed)}",
            stacklevel=6,
        )
