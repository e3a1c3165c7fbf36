"""The trials of a sweep in an Optuna study, and the record of what the sweep is."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import product
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from autoencode.arguments import check_value
from autoencode.errors import AutoencodeError, RunError
from autoencode.io.store import read_json, write_json, writing
from autoencode.scale.objectives import SweepMetric
from autoencode.scale.space import Choices, NumberRange, Space, combinations

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

RECORD, DATABASE, LOCK = "sweep.json", "sweep.db", "sweep.lock"
# Drivers of databases, and the packages that have them.
DRIVERS = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
}
ERROR = "error"  # the attribute of a failed trial that says why


@contextmanager
def opened(
    folder: Path,
    record: Mapping[str, Any],
    space: Space,
    metrics: Sequence[SweepMetric],
    storage: str | None,
) -> Iterator[SweepStore]:
    """The store of a sweep, new or continued, for this process alone.

    record: what the sweep is, as JSON; a sweep in the folder must have the same.
    storage: the URL of a database; None is `sweep.db` in the folder.

    Raises:
        AutoencodeError: Optuna is not installed.
        RunError: the folder holds another sweep or other files, another process is at work in it,
            or the database cannot be opened.
    """
    try:
        import optuna
    except ImportError as error:
        raise AutoencodeError(
            "Optuna is not installed", 'Install it: pip install "autoencode[sweep]"'
        ) from error
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and a sweep needs a folder", "Choose another --out.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RECORD).exists():
        names = {path.name for path in folder.iterdir()} - {LOCK}
        others = {name for name in names if not name.startswith(DATABASE)}
        if others:
            raise RunError(
                f"{folder} contains files that are not of a sweep, such as {min(others)}",
                "Choose another --out (out=).",
            )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with writing(folder / LOCK):
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            what = f"Another process is at work on the sweep in {folder}"
            raise RunError(what, "Wait for it, or choose another --out (out=).") from None
    try:
        # The record is written last: a database that cannot be opened leaves none.
        database = _database(storage or f"sqlite:///{(folder / DATABASE).resolve()}")
        name = _study_name(folder, {**record, "storage": storage and _shown(storage)})
        try:
            with _or_sentence(folder, storage):
                yield SweepStore(database, name, space, metrics)
        finally:  # no connection stays open
            database.remove_session()
            database.engine.dispose()
    finally:
        lock.release()
        optuna.logging.set_verbosity(verbosity)


@contextmanager
def _or_sentence(folder: Path, storage: str | None) -> Iterator[None]:
    """Turns the errors of a database that is lost into one with a fix."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        name = _shown(storage) if storage else folder / DATABASE
        raise RunError(
            f"The database {name} was lost: {_first_line(_cause(error))}",
            f"The trainings are saved in {folder}. When it is back, give the same again to "
            "continue.",
        ) from error


def _cause(error: BaseException) -> BaseException:
    """The first of the errors that caused one another."""
    return error if error.__cause__ is None else _cause(error.__cause__)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _study_name(folder: Path, record: Mapping[str, Any]) -> str:
    """The name of the study in the database; the record is written, or compared with its file.

    Raises:
        RunError: the folder holds another sweep.
    """
    path = folder / RECORD
    if not path.exists():
        name = f"autoencode-{uuid.uuid4().hex}"
        write_json(path, {"study": name, **record})
        return name
    found = read_json(path)
    check_value(found, dict, "a sweep", RunError)
    check_value(found.get("study"), str, "study", RunError)
    before, now = _flat(found), _flat(record)
    for key in sorted({*before, *now} - {"study"}):
        if before.get(key) != now.get(key):
            raise RunError(
                f"{folder} holds a sweep with another {key}: {before.get(key)}, and "
                f"{now.get(key)} was given",
                "Give the same to continue it, or choose another folder: --out (out=).",
            )
    return str(found["study"])


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a record and of the objects in it: "settings.lr"."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        inner = {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {}
        flat |= inner or {key: None if value == {} else value}
    return flat


def _shown(storage: str) -> str:
    """The URL of a database without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(storage).render_as_string(hide_password=True)
    except ArgumentError as error:
        raise RunError(
            f'"{storage}" is not the URL of a database',
            "Examples: --storage sqlite:///sweeps.db, --storage postgresql://user@host/database",
        ) from error


def _database(url: str) -> optuna.storages.RDBStorage:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    # Waits for another process that writes, instead of failing at once.
    # A server may have been started anew since the trial before.
    local = url.startswith("sqlite")
    arguments = {"connect_args": {"timeout": 60}} if local else {"pool_pre_ping": True}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
    except (ImportError, ValueError, RuntimeError, SQLAlchemyError) as error:
        cause = _cause(error)
        if isinstance(cause, ModuleNotFoundError) and cause.name in DRIVERS:
            raise RunError(
                f"The database {_shown(url)} needs {cause.name}, which is not installed",
                f"Install it: pip install {DRIVERS[cause.name]}",
            ) from error
        raise RunError(
            f"The database {_shown(url)} cannot be opened: {_first_line(cause)}",
            "Check --storage (storage=), or leave it out: the trials are then in a file of the "
            "sweep's folder.",
        ) from error


class SweepStore:
    """The trials of a sweep: begun, finished and read."""

    def __init__(
        self,
        database: optuna.storages.RDBStorage,
        name: str,
        space: Space,
        metrics: Sequence[SweepMetric],
    ) -> None:
        import optuna

        self.space, self.metrics, self.database = space, metrics, database
        self.study = optuna.create_study(
            storage=database,
            study_name=name,
            directions=[metric.direction for metric in metrics],
            load_if_exists=True,
        )
        self.study_id = database.get_study_id_from_name(name)
        self.distributions = {name: _distribution(each) for name, each in space.items()}

        for trial in self.study.get_trials(deepcopy=False):
            if not (trial.state.is_finished() or trial.params.keys() == space.keys()):
                self.fail(trial, "The process ended while the values were chosen")

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers, but for those without values."""
        trials = self.study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.params.keys() == self.space.keys()]

    def unfinished(self) -> list[FrozenTrial]:
        """The trials that have begun and are not finished."""
        return [trial for trial in self.trials() if not trial.state.is_finished()]

    def ask(self, seed: int, most: int) -> None:
        """Adds a trial, with the state RUNNING until it is finished.

        If there are at most `most` combinations of values, each is tried once.

        The random numbers of each trial come from the seed and its number, so that a sweep that is
        continued asks for the trials that an uninterrupted one would have.
        """
        import optuna

        digest = sha256(f"{seed} {len(self.trials())}".encode()).digest()
        own = int.from_bytes(digest[:4], "little")
        params = self._untried(seed, most)
        self.study.sampler = (
            optuna.samplers.TPESampler(seed=own, multivariate=True)
            if params is None
            else _fixed_sampler(params)
        )
        self.study.ask(self.distributions)

    def _untried(self, seed: int, most: int) -> dict[str, Any] | None:
        """A combination that no trial has, in random order; None if there are more than `most`."""
        size = combinations(self.space)
        if size is None or size > most:
            return None
        columns = [
            each.labels if isinstance(each, Choices) else range(int(each.low), int(each.high) + 1)
            for each in self.space.values()
        ]
        grid = [dict(zip(self.space, values, strict=True)) for values in product(*columns)]
        tried = [trial.params for trial in self.trials()]
        return next((each for each in Random(seed).sample(grid, size) if each not in tried), None)

    def values(self, trial: FrozenTrial) -> dict[str, Any]:
        """The values of what is varied, by name."""
        return {
            name: each.values[each.labels.index(trial.params[name])]
            if isinstance(each, Choices)
            else trial.params[name]
            for name, each in self.space.items()
        }

    def complete(self, trial: FrozenTrial, metrics: Sequence[float]) -> None:
        """Tells the metrics of a trial."""
        self.study.tell(trial.number, list(metrics))

    def fail(self, trial: FrozenTrial, reason: str) -> None:
        """Tells that a trial has no metrics, and why."""
        import optuna

        self.database.set_trial_user_attr(self._id(trial), ERROR, reason)
        self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def prune(self, trial: FrozenTrial, reason: str) -> None:
        """Tells that a trial was ended before its last step, and why."""
        import optuna

        self.database.set_trial_user_attr(self._id(trial), ERROR, reason)
        self.study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)

    def report(self, trial: FrozenTrial, history: Mapping[int, float]) -> None:
        """Adds the values of a trial at its validations; those that are there stay."""
        for step, value in history.items():
            if step not in trial.intermediate_values:
                self.database.set_trial_intermediate_value(self._id(trial), step, value)

    def importances(self) -> dict[str, dict[str, float]]:
        """How much of the variance of each metric each argument explains, as Optuna estimates it.

        A metric without a variance over the complete trials is left out.
        """
        from optuna.importance import get_param_importances

        found = {}
        for i, metric in enumerate(self.metrics):

            def value(trial: FrozenTrial, position: int = i) -> float:
                return float(trial.values[position])

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of trials that all have one value
                try:
                    found[metric.name] = get_param_importances(self.study, target=value)
                except (ValueError, RuntimeError):
                    continue
        return found

    def _id(self, trial: FrozenTrial) -> int:
        return self.database.get_trial_id_from_study_id_trial_number(self.study_id, trial.number)


def _fixed_sampler(params: Mapping[str, Any]) -> optuna.samplers.BaseSampler:
    """A sampler that gives these values."""
    import optuna

    class FixedSampler(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(
            self, study: Any, trial: Any, param_name: str, param_distribution: Any
        ) -> Any:
            return params[param_name]

    return FixedSampler()


def _distribution(dimension: NumberRange | Choices) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.labels)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
