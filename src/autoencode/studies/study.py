"""A study: a question, the trainings that answer it, and the words that follow from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from autoencode.data import Data
from autoencode.evaluation import QUICK
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table


@dataclass(frozen=True)
class StudyPlan:
    """What a study is allowed to spend, and on which data.

    full: train each model to the end of its row, with more seeds; else within a budget that suits
        two cores.
    steps: an upper bound on the steps of each training, to try a study out; its findings then mean
        little.
    seeds: trainings of each model, where a study says no other number.
    """

    data: Data
    full: bool = False
    steps: int | None = None
    seeds: int | None = None

    def updates(self, usual: int, full: int) -> int:
        """How many steps a training takes."""
        wanted = full if self.full else usual
        return wanted if self.steps is None else min(wanted, self.steps)

    def trials(self, usual: int, full: int) -> range:
        """The seeds of each model."""
        return range(self.seeds if self.seeds is not None else full if self.full else usual)


@dataclass(frozen=True)
class StudyRun:
    """One training of a study and what is measured of it.

    model: its name in tables, the same for all its seeds: "d = 8".
    key: names its folder, with the seed behind it.
    options: of `load_data`, over those of the study's data.
    """

    model: str
    key: str
    recipe: Recipe
    settings: Mapping[str, Any]
    seed: int = 0
    measures: tuple[str, ...] = QUICK
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of its run's folder."""
        return f"{self.key}-seed{self.seed}"


@dataclass(frozen=True)
class Result:
    """A finished training: its run, and every figure of it by name."""

    training: StudyRun
    run: Run
    metrics: Mapping[str, Any]

    def __getitem__(self, figure: str) -> float:
        """A figure by its name; "terms.kl" is one of the terms, "seconds" of the training."""
        if figure.startswith("terms."):
            return float(self.metrics["terms"][figure.removeprefix("terms.")])
        return float({**self.run.summary, **self.metrics}[figure])

    def __contains__(self, figure: str) -> bool:
        """Whether it was measured."""
        if figure.startswith("terms."):
            return figure.removeprefix("terms.") in self.metrics["terms"]
        return figure in self.metrics

    @property
    def validation(self) -> Mapping[str, Any]:
        """What the last validation of the training found: for choosing, which test data are not."""
        found: Mapping[str, Any] = [
            line["validation"] for line in self.run.log() if "validation" in line
        ][-1]
        return found


@dataclass(frozen=True)
class Results:
    """All finished trainings of a study, in the order in which it names them."""

    found: Sequence[Result]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.found)

    def models(self) -> list[str]:
        """The names of the models, each once."""
        return list(dict.fromkeys(each.training.model for each in self.found))

    def of(self, model: str) -> list[Result]:
        """The trainings of one model, a seed each."""
        return [each for each in self.found if each.training.model == model]

    def first(self, model: str) -> Result:
        """Its first seed, the one that is shown in pictures."""
        return self.of(model)[0]

    def values(self, model: str, figure: str) -> list[float]:
        """A figure of each seed of a model."""
        return [each[figure] for each in self.of(model)]

    def mean(self, model: str, figure: str) -> float:
        """Over the seeds of a model."""
        values = self.values(model, figure)
        return sum(values) / len(values)


@dataclass(frozen=True)
class Finding:
    """What the figures say, in a sentence that was made from them by a rule.

    holds: whether they support what the study expected; None where nothing was expected.
    """

    words: str
    holds: bool | None = None


@dataclass(frozen=True)
class Conclusion:
    """What a study found.   tables, plates: by name, in the order in which they are shown."""

    findings: Sequence[Finding]
    tables: Mapping[str, Table]
    plates: Mapping[str, ChartFigure]


class Study(ABC):
    """A question to data, asked by training models and answered by rule from their figures.

    expects: the hypothesis, stated before the figures are there.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    expects: ClassVar[str]

    def check(self, data: Data) -> None:  # noqa: B027  most studies take any data
        """Refuses data that the question has no meaning for, before anything is trained.

        Raises:
            DataError: with what is missing.
        """

    @abstractmethod
    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """What is trained first."""

    def further(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """What is trained then, in the light of the first figures."""
        return []

    @abstractmethod
    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Findings, tables and figures."""
