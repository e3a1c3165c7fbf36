"""Records of runs to be compared: which are seeds of one model, and which cannot be compared."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from torch import Tensor

from autoencode.data import Data, Split
from autoencode.data.options import Options
from autoencode.data.records import fingerprint
from autoencode.errors import RunError
from autoencode.evaluation.metric_info import NOT_COMPARED
from autoencode.evaluation.records import TERM_PREFIX
from autoencode.models.run import Run
from autoencode.parts.networks.custom import is_custom

# Differences between models of one recipe that their names mention, at most.
MAX_DIFFERENCES = 3
# Settings in which runs of one model may differ: the seed, and what else training records.
NOT_THE_MODEL = ("seed", "snapshots", "tensorboard")


@dataclass(frozen=True)
class RunRecord:
    """One finished run and its metrics.

    parameters: the number of trainable parameters.
    test: SHA-256 of its test part, see `digest_of_test`.
    metrics: from `Evaluation.to_dict`.   per_example: from `Evaluation.per_example`.
    """

    run: Run
    parameters: int
    test: str
    metrics: Mapping[str, Any]
    per_example: Mapping[str, Tensor] = field(default_factory=dict, compare=False, repr=False)

    @property
    def folder(self) -> str:
        """The folder of the run, or its address on the hub."""
        return self.run.address

    @property
    def seeds(self) -> tuple[int, int]:
        """The seed of the training, and of the split of its data."""
        return int(self.run.settings.get("seed", 0)), int(self.run.data["options"].get("seed", 0))

    @cached_property
    def setup(self) -> Mapping[str, Any]:
        """Everything that defines the model except its seeds, by dotted name."""
        run, recipe = self.run, self.run.recipe.to_dict()
        for name in ("name", "about", "papers", "training"):  # `settings` holds what was used
            del recipe[name]
        if is_custom(run.recipe.network.kind):
            # Each run has its own copy: the content of the file counts.
            name = run.recipe.network.kind.rpartition(".py")[2]
            recipe["network"]["kind"] = f"{run.network_sha256}{name}"
        settings = {
            name: value for name, value in run.settings.items() if name not in NOT_THE_MODEL
        }
        options = {name: value for name, value in run.data["options"].items() if name != "seed"}
        data = {"source": run.data["source"], **options}
        return dict(_flat({"": recipe, "training": settings, "data": data}))

    @cached_property
    def digest(self) -> str:
        """The same for all seeds of one model, 12 hexadecimal digits."""
        text = json.dumps([self.run.recipe.name, self.setup], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def figures(self) -> dict[str, float]:
        """Each compared metric that is one number."""
        found = {name: value for name, value in self.metrics.items() if name not in NOT_COMPARED}
        found |= {TERM_PREFIX + k: value for k, value in self.metrics.get("terms", {}).items()}
        return {
            name: value
            for name, value in found.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


def check_trials(trials: Sequence[RunRecord]) -> None:
    """Refuses runs that cannot be compared; they need not be measured yet.

    Raises:
        RunError: fewer than two runs; a run or a training that is given twice; or runs whose test
            parts are not the same examples in the same order.
    """
    if len(trials) < 2:
        raise RunError(
            f"A comparison needs two runs or more, and there {'is 1' if trials else 'are none'}",
            'Give more of them, or a pattern: "runs/*".',
        )
    first: dict[Any, RunRecord] = {}
    for trial in trials:
        before = first.setdefault(trial.run.folder.resolve(), trial)
        if before is not trial:
            raise RunError(f"{trial.folder} is given twice", "Give each run once.")
        before = first.setdefault((trial.digest, trial.seeds), trial)
        if before is not trial:
            raise RunError(
                f"{before.folder} and {trial.folder} are the same training: recipe, settings and "
                "seed are equal, so that they are not two samples",
                "Leave one out, or train it with another seed: --seed (seed=).",
            )
    for trial in trials:
        if trial.test != trials[0].test:
            raise RunError(
                f"{trials[0].folder} and {trial.folder} are measured on different test examples: "
                f"{_sources(trials[0], trial)}",
                "Compare runs on the same data, or train one again with the --data, --size, "
                "--range, --binarise and --split-seed of the other.",
            )


def digest_of_test(data: Data) -> str:
    """SHA-256 over the bytes and labels of the test part, in its order; 64 hexadecimal digits."""
    test = data.test
    return fingerprint({"test": Split(test.x, test.y)})


def _sources(one: RunRecord, other: RunRecord) -> str:
    """The differences between the data of two runs."""
    ours, theirs = ({"source": t.run.data["name"], **t.run.data["options"]} for t in (one, other))
    # Options at their defaults are not recorded.
    defaults = {each.name: each.default for each in fields(Options)}
    different = {
        name: (ours.get(name, defaults.get(name)), theirs.get(name, defaults.get(name)))
        for name in sorted({*ours, *theirs})
        if ours.get(name, defaults.get(name)) != theirs.get(name, defaults.get(name))
    }
    if not different:
        return f"{ours['source']} was not the same data for both"
    return ", ".join(f"{name} is {_short(a)} and {_short(b)}" for name, (a, b) in different.items())


def names_of(groups: Sequence[Sequence[RunRecord]]) -> list[str]:
    """A name for each model, which is given as the runs of all its seeds.

    The name of its recipe, and its differences from other models of that recipe.
    """
    names = []
    for group in groups:
        trial = group[0]
        recipe = trial.run.recipe.name
        setups = [other[0].setup for other in groups if other[0].run.recipe.name == recipe]
        different = sorted(
            key
            for key in {key for setup in setups for key in setup}
            if len({json.dumps(setup.get(key)) for setup in setups}) > 1
        )
        ends = Counter(key.rpartition(".")[2] for key in different)
        words = [
            f"{end if ends[end := key.rpartition('.')[2]] == 1 else key}="
            f"{_short(trial.setup.get(key, 'default'))}"
            for key in different[:MAX_DIFFERENCES]
        ]
        names.append(f"{recipe} ({', '.join(words)})" if words else recipe)
    double = Counter(names)
    return [
        f"{name} [{group[0].digest[:6]}]" if double[name] > 1 else name
        for name, group in zip(names, groups, strict=True)
    ]


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_short, value))}]"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"…{text[-23:]}"


def _flat(nested: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested mappings by dotted name, as on the command line: without `args`.

    Values of None are defaults, which the files of older versions may lack.
    """
    for name, value in nested.items():
        key = before if name in ("", "args") else f"{before}.{name}" if before else name
        if isinstance(value, Mapping) and value:
            yield from _flat(value, key)
        elif value is not None and not isinstance(value, Mapping):
            yield key, list(value) if isinstance(value, tuple) else value
