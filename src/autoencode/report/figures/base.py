"""The base classes of figures: what a page needs of each, whatever it shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from autoencode.data import Data
from autoencode.models.run import Run
from autoencode.report.style import Picture
from autoencode.report.tables import Table
from autoencode.report.view import View


@dataclass(frozen=True)
class ReportContext:
    """What the figures of a report are made from; `metrics` is the content of `metrics.json`."""

    run: Run
    data: Data
    view: View
    metrics: Mapping[str, Any]


class Figure(ABC):
    """A figure of a page. Subclasses are dataclasses over the data that they show.

    key: its identifier in links and file names.   title: the heading of its section.
    """

    key: str
    title: str

    @abstractmethod
    def draw(self) -> Picture:
        """The picture."""

    @abstractmethod
    def caption(self) -> str:
        """What the picture shows and how it was made."""

    def findings(self) -> str:
        """What was measured on the data shown, in sentences; empty where nothing was."""
        return ""

    @abstractmethod
    def alt(self) -> str:
        """A description for readers who cannot see the picture."""

    def table(self) -> Table | None:
        """The numbers behind the picture; None where there are none."""
        return None


@dataclass(frozen=True)
class ViewFigure(Figure):
    """A figure of one view.

    draws_examples: whether it draws examples as images, which rows of a table are not.
    """

    view: View
    draws_examples: ClassVar[bool] = True

    @classmethod
    def applies(cls, view: View) -> bool:
        """Whether the figure has a meaning for this model and these examples."""
        return True

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """The figure of the run's view, where it applies."""
        if cls.draws_examples and context.data.is_table:
            return None
        return cls(context.view) if cls.applies(context.view) else None


@dataclass(frozen=True)
class ComparisonFigure(Figure):
    """A figure of several models on the same examples; `views` are by the models' names."""

    views: Mapping[str, View]
    draws_examples: ClassVar[bool] = True

    @classmethod
    def applies(cls, views: Mapping[str, View]) -> bool:
        """Whether the figure has a meaning for one of these models."""
        return True


@dataclass(frozen=True)
class ChartFigure(Figure):
    """A figure made of a chart and its texts, for studies.

    text: the caption.   note: the findings.   alt_text: the description.   data: the numbers.
    """

    title: str
    picture: Picture
    text: str
    note: str
    alt_text: str
    data: Table | None = None
    key: str = ""

    def draw(self) -> Picture:
        return self.picture

    def caption(self) -> str:
        return self.text

    def findings(self) -> str:
        return self.note

    def alt(self) -> str:
        return self.alt_text

    def table(self) -> Table | None:
        return self.data
