"""The page of a study: its question, its findings, and the figures and tables behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoencode.report.figures.base import Figure
from autoencode.report.formatting import count, duration
from autoencode.report.pages.details import Detail
from autoencode.report.pages.html import Download, download, embed, file_name, write_page
from autoencode.report.tables import Table

# Whether a finding supports the hypothesis of the study.
VERDICTS = {True: "supports the hypothesis", False: "does not support the hypothesis", None: ""}


@dataclass(frozen=True)
class StudyPage:
    """The content of a study's page.

    question, expects, lead: what was asked, the hypothesis, and what was done, in sentences.
    findings: sentences, each with whether it supports the hypothesis; None where there is none.
    tables, figures: by name, in the order in which they are shown.
    models: the trainings: name, command or description, and seconds of each.
    command: the command that repeats the study.   data, versions: what it depends on.
    """

    title: str
    question: str
    expects: str
    lead: str
    findings: Sequence[tuple[str, bool | None]]
    tables: Mapping[str, Table]
    figures: Mapping[str, Figure]
    models: Sequence[tuple[str, str, float]]
    command: str
    data: Sequence[Detail]
    versions: Sequence[Detail]

    def score(self) -> str:
        """How many of the findings support the hypothesis; empty without a hypothesis."""
        verdicts = [supports for _, supports in self.findings if supports is not None]
        if not verdicts:
            return ""
        return f"{count(sum(verdicts))} of {count(len(verdicts))} findings support the hypothesis."

    def trained(self) -> str:
        """How many models were trained, and for how long."""
        n = f"{count(len(self.models))} training run{'' if len(self.models) == 1 else 's'}"
        return f"{n}, {duration(sum(seconds for *_, seconds in self.models))} in total."


@dataclass(frozen=True)
class EmbeddedTable:
    """A table on the page.   columns: name, and whether it has only numbers, of each."""

    key: str
    title: str
    columns: list[tuple[str, bool]]
    rows: list[list[str]]
    data: Download


def write_study_page(page: StudyPage, path: Path) -> Path:
    """Write the page as one HTML file; returns the path.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    return write_page(
        Path(path),
        "study.html",
        title=page.title,
        page=page,
        verdicts=VERDICTS,
        figures=[embed(figure, key) for key, figure in page.figures.items()],
        tables=[_embedded(name, table) for name, table in page.tables.items()],
        models=[(name, duration(seconds), how.split()) for name, how, seconds in page.models],
    )


def _title(name: str, table: Table) -> str:
    """The heading of a table: by default its name, "per_seed" as "Per seed"."""
    return table.title or f"{name[:1].upper()}{name[1:]}".replace("_", " ")


def _embedded(name: str, table: Table) -> EmbeddedTable:
    columns = list(zip(table.columns, table.is_numeric(), strict=True))
    key = f"{file_name(name)}-table"
    return EmbeddedTable(key, _title(name, table), columns, table.rows(), download(table, key))


def study_markdown(page: StudyPage, files: Mapping[str, str]) -> str:
    """The page as Markdown; `files` are image files of figures by name, others are omitted."""
    parts = [f"# {_text(page.title)}", f"**{_text(page.question)}**"]
    if page.expects:
        parts.append(f"Hypothesis: {_text(page.expects)}")
    if page.lead:
        parts.append(_text(page.lead))
    parts.append("## Findings")
    if score := page.score():
        parts.append(score)
    parts.append("\n".join(_finding(words, supports) for words, supports in page.findings))
    for name, figure in page.figures.items():
        if name in files:
            parts += [f"## {_text(figure.title)}", f"![{_text(figure.alt())}]({files[name]})"]
            parts.append(_text(f"{figure.caption()} {figure.findings()}"))
    for name, table in page.tables.items():
        parts.append(f"## {_text(_title(name, table))}")
        rows = [[_text(cell) for cell in row] for row in table.rows()]
        parts.append(_pipes([_text(column) for column in table.columns], table.is_numeric(), rows))
        if table.note:
            parts.append(_text(table.note))
    parts += ["## Training runs", page.trained()]
    trained = [[_text(name), duration(seconds), f"`{how}`"] for name, how, seconds in page.models]
    parts.append(_pipes(["model", "time", "command"], [False, True, False], trained))
    parts += ["## Reproduction", f"```sh\n{page.command}\n```"]
    for title, details in (("Data", page.data), ("Versions and machine", page.versions)):
        if details:
            parts += [f"### {title}", "\n".join(_detail(each) for each in details)]
    return "\n\n".join(parts) + "\n"


def _finding(words: str, supports: bool | None) -> str:
    verdict = f" **({VERDICTS[supports]})**" if supports is not None else ""
    return f"- {_text(words)}{verdict}"


def _detail(detail: Detail) -> str:
    note = f" ({_text(detail.note)})" if detail.note else ""
    return f"- {_text(detail.name)}: {_text(detail.value)}{note}"


def _pipes(columns: Sequence[str], numeric: Sequence[bool], rows: Sequence[list[str]]) -> str:
    rule = ["---:" if right else "---" for right in numeric]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (columns, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _text(words: str) -> str:
    """Words as one line of Markdown without formatting.

    >>> print(_text("a <b> * c_d _e_"))
    a \\<b> \\* c_d \\_e\\_
    """
    return re.sub(r"[\\`*<]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(words.split()))
