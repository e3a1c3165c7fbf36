"""The page of a study: its question, its findings, and the figures and tables behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoencode.report.figures.base import Figure
from autoencode.report.formatting import count, duration
from autoencode.report.pages.details import Detail
from autoencode.report.pages.html import render, write_page
from autoencode.report.tables import Table

# Verdicts on hypotheses; one that begins with "undecided" may say why.
SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclass(frozen=True)
class StudyPage:
    """The content of a study's page.

    question, lead: the question and what was done, in sentences.
    findings: a hypothesis, the verdict on it, and the measured values that it follows from, each.
    tables, figures: tables by title and figures by name, in the order in which they are shown.
    models: the trainings: name, command or description, and seconds of each.
    command: the command that repeats the study.   data, versions: what it depends on.
    """

    title: str
    question: str
    lead: str
    findings: Sequence[tuple[str, str, str]]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    models: Sequence[tuple[str, str, float]]
    command: str
    data: Sequence[Detail]
    versions: Sequence[Detail]

    def score(self) -> str:
        """How many hypotheses have each verdict."""
        counts = Counter(verdict.partition(":")[0] for _, verdict, _ in self.findings)
        words = (f"{counts[each]} {each}" for each in (SUPPORTED, NOT_SUPPORTED, UNDECIDED))
        return f"Hypotheses: {', '.join(words)}."

    def trained(self) -> str:
        """How many models were trained, and for how long."""
        n = f"{count(len(self.models))} training run{'' if len(self.models) == 1 else 's'}"
        return f"{n}, {duration(sum(seconds for *_, seconds in self.models))} in total."


def write_study_page(page: StudyPage, path: Path) -> Path:
    """Write the page as one HTML file; returns the path.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    return write_page(Path(path), "study.html", title=page.title, page=page)


def study_markdown(page: StudyPage, files: Mapping[str, str]) -> str:
    """The page as Markdown; `files` are image files of figures by name, others are omitted."""
    return render("study.md", files=files, page=page)
