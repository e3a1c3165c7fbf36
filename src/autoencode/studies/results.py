"""The plan of a study, its trainings and their results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from autoencode.data import Data
from autoencode.errors import RunError
from autoencode.evaluation import QUICK, MetricsCache
from autoencode.evaluation.metric_info import metric_info
from autoencode.evaluation.metrics.significance import Estimate, estimate
from autoencode.evaluation.records import TERM_PREFIX
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run
from autoencode.report.tables import Table

NATS = ("nll", "negative_elbo", "aggregate_kl", "terms.kl", "terms.reconstruction")


def metric_name(metric: str) -> str:
    """The name of a metric in tables and sentences, with "nats" where it has this unit."""
    return metric_info(metric).title + (", nats" if metric in NATS else "")


@dataclass(frozen=True)
class StudyPlan:
    """The data of a study and its training budget.

    full: train each model for its full number of steps and with more seeds; otherwise use a budget
        that suits two CPU cores.
    steps: maximum steps of each training. A small number is enough to try a study out, but then
        its verdicts mean little.
    seeds: number of seeds of each model; None uses the default of the study.
    """

    data: Data
    full: bool = False
    steps: int | None = None
    seeds: int | None = None

    def training_steps(self, default: int, full: int) -> int:
        """The number of steps of a training."""
        wanted = full if self.full else default
        return wanted if self.steps is None else min(wanted, self.steps)

    def settings(self, default: int, full: int, **more: float) -> dict[str, float]:
        """Training settings with the number of steps and a warm-up of at most 300 of them."""
        steps = self.training_steps(default, full)
        return {"steps": steps, "warmup": min(300, steps // 4), **more}

    def runs(
        self,
        models: Mapping[str, Recipe],
        settings: Mapping[str, Any],
        default: int,
        measures: tuple[str, ...] = QUICK,
        full: int = 3,
    ) -> list[StudyRun]:
        """A training of each model and seed; `default` and `full` are numbers of seeds."""
        seeds = self.seeds if self.seeds is not None else full if self.full else default
        return [
            StudyRun(name, recipe, settings, seed, measures)
            for name, recipe in models.items()
            for seed in range(seeds)
        ]


@dataclass(frozen=True)
class StudyRun:
    """One training of a study and the measures taken of it.

    model: name in tables, the same for all seeds of a model: "d = 8".
    options: options of `load_data` that replace those of the study's data.
    """

    model: str
    recipe: Recipe
    settings: Mapping[str, Any]
    seed: int = 0
    measures: tuple[str, ...] = QUICK
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of the run folder."""
        words = re.findall(r"[\w.]+", self.model.lower())
        return f"{'-'.join(words)}-seed{self.seed}"


@dataclass(frozen=True)
class Result:
    """A finished training: its run and all its metrics by name."""

    training: StudyRun
    run: Run
    metrics: Mapping[str, Any]

    @cached_property
    def _values(self) -> dict[str, Any]:
        terms = {TERM_PREFIX + name: value for name, value in self.metrics.get("terms", {}).items()}
        return {**self.run.summary, **self.metrics, **terms}

    def __getitem__(self, metric: str) -> float:
        """A metric by name; "terms.kl" is a term of the objective, "seconds" the training time."""
        return float(self._values[metric])

    def __contains__(self, metric: str) -> bool:
        """Whether the metric was measured."""
        return metric in self._values

    @cached_property
    def per_example(self) -> dict[str, Tensor]:
        """Values of each test example, [N], of those metrics that are means over them."""
        found = [r for _, records in MetricsCache(self.run).others(()) for r in records]
        each = {r.name: r.per_example for r in found if r.per_example is not None}
        return {name: v for name, v in each.items() if len(v) == self.metrics["n_test"]}

    @property
    def validation(self) -> Mapping[str, Any]:
        """Metrics of the last validation, for choices that must not use test data.

        Raises:
            RunError: the log of the run has none.
        """
        lines = [line["validation"] for line in self.run.log() if "validation" in line]
        if not lines:
            raise RunError(
                f"{self.run.folder / 'log.jsonl'} has no valid line of validation data",
                f"Delete {self.run.folder}; the study then trains it again.",
            )
        found: Mapping[str, Any] = lines[-1]
        return found


@dataclass(frozen=True)
class Results:
    """All finished trainings of a study, in the order in which the study lists them."""

    found: Sequence[Result]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.found)

    def models(self) -> list[str]:
        """The names of the models, each once."""
        return list(dict.fromkeys(each.training.model for each in self.found))

    def of(self, model: str) -> list[Result]:
        """The results of one model, one for each seed."""
        return [each for each in self.found if each.training.model == model]

    def first(self, model: str) -> Result:
        """The result of the first seed, which is the one shown in figures."""
        return self.of(model)[0]

    def estimate(self, model: str, metric: str) -> Estimate:
        """A metric of a model with its noise: over seeds, or over test examples of one seed."""
        each, values = self.of(model), self.values(model, metric)
        per_example = each[0].per_example.get(metric) if len(each) == 1 else None
        interval = each[0].metrics.get("intervals", {}).get(metric)
        return estimate(values, interval, [one.training.seed for one in each], per_example)

    def firsts(self) -> dict[str, Result]:
        """The result of the first seed of each model, by its name."""
        return {model: self.first(model) for model in self.models()}

    def measured(self, metric: str) -> bool:
        """Whether all trainings have a metric."""
        return all(metric in each for each in self.found)

    def values(self, model: str, metric: str) -> list[float]:
        """A metric of each seed of a model."""
        return [each[metric] for each in self.of(model)]

    def mean(self, model: str, metric: str) -> float:
        """The mean of a metric over the seeds of a model."""
        values = self.values(model, metric)
        return sum(values) / len(values)

    def means(self, metric: str) -> list[float]:
        """The mean of a metric over seeds, for each model."""
        return [self.mean(model, metric) for model in self.models()]

    def seed_interval(self, model: str, metric: str) -> tuple[float, float]:
        """The 95 % interval of the mean over the seeds of a model; of one seed, its value twice."""
        values = self.values(model, metric)
        return estimate(values).interval or (values[0], values[0])

    def table(self, heading: str, metrics: Sequence[str]) -> Table:
        """Means over seeds of those metrics that all trainings have, one row for each model."""
        measured = [metric for metric in metrics if self.measured(metric)]
        columns = {metric_name(metric): self.means(metric) for metric in measured}
        return Table({heading: self.models(), **columns})
