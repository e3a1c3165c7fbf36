"""What a study is: hypotheses, trainings, and the conclusion from their metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from autoencode.data import Data
from autoencode.errors import DataError
from autoencode.models.recipe import Recipe
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table
from autoencode.studies.results import Results, StudyPlan, StudyRun
from autoencode.studies.rules import Finding, Hypothesis


@dataclass(frozen=True)
class Conclusion:
    """What a study found.   tables, figures: by name, in the order in which they are shown."""

    findings: Sequence[Finding]
    tables: Mapping[str, Table]
    figures: Mapping[str, ChartFigure]


class Study(ABC):
    """A question about data, answered by training models and testing hypotheses on their metrics.

    hypotheses: stated before any training; each gets a finding if its metric can be measured.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    hypotheses: ClassVar[tuple[Hypothesis, ...]]

    def check(self, data: Data) -> None:  # noqa: B027  most studies take any data
        """Refuses data that the question does not apply to, before anything is trained.

        Raises:
            DataError: what the data lack.
        """

    @abstractmethod
    def trainings(self, plan: StudyPlan) -> list[StudyRun]:
        """The trainings that the study starts with."""

    def further_trainings(self, plan: StudyPlan, results: Results) -> list[StudyRun]:
        """The trainings that depend on the first results."""
        return []

    @abstractmethod
    def conclude(self, plan: StudyPlan, results: Results) -> Conclusion:
        """Findings, tables and figures."""

    def findings(self, results: Results) -> list[Finding]:
        """The finding on each hypothesis whose metric was measured."""
        return [each.test(results) for each in self.hypotheses if results.measured(each.metric)]


def with_network(recipe: Recipe, *hidden: int) -> Recipe:
    """The recipe with hidden layers of these sizes, layer normalisation and SiLU."""
    recipe = recipe.set("network.hidden", hidden).set("network.norm", "layer")
    return recipe.set("network.activation", "silu")


def require_images(data: Data, reason: str) -> None:
    """Refuses data that are no images.

    Raises:
        DataError: with the reason, a clause.
    """
    if data.train.x.dim() < 3:
        raise DataError(f"{reason}, and these data are vectors", "Use image data.")
