"""The page of a study: what was asked, what was found, and all that it was found from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoencode.report.formatting import count, duration
from autoencode.report.pages.facts import Fact
from autoencode.report.pages.html import Download, Shown, download, plain, shown, write_page
from autoencode.report.plates import Plate
from autoencode.report.tables import Table

# Verdicts on hypotheses; one that begins with "undecided" may say why.
SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclass(frozen=True)
class StudyPage:
    """All that a page says of a study.

    question, lead: the question and what was done, in sentences.
    findings: a hypothesis, the verdict on it, and the measured values that it follows from, each.
    tables, plates: by name, in the order in which they are shown.
    models: what was trained: its name, the command or words for it, and how many seconds it took.
    command: that makes all of it again.   data, versions: what else that needs.
    """

    title: str
    question: str
    lead: str
    findings: Sequence[tuple[str, str, str]]
    tables: Mapping[str, Table]
    plates: Mapping[str, Plate]
    models: Sequence[tuple[str, str, float]]
    command: str
    data: Sequence[Fact]
    versions: Sequence[Fact]

    def score(self) -> str:
        """How many hypotheses have each verdict."""
        counts = Counter(verdict.partition(":")[0] for _, verdict, _ in self.findings)
        words = (f"{counts[each]} {each}" for each in (SUPPORTED, NOT_SUPPORTED, UNDECIDED))
        return f"Hypotheses: {', '.join(words)}."

    def trained(self) -> str:
        """How much was trained."""
        n = f"{count(len(self.models))} training{'' if len(self.models) == 1 else 's'}"
        return f"{n}, {duration(sum(seconds for *_, seconds in self.models))} together."


@dataclass(frozen=True)
class Figure:
    """A plate on the page."""

    key: str
    title: str
    shown: Shown


@dataclass(frozen=True)
class Sheet:
    """A table on the page.   heads: (name, whether its column holds numbers) each."""

    key: str
    title: str
    heads: list[tuple[str, bool]]
    rows: list[list[str]]
    data: Download


def write_study_page(page: StudyPage, path: Path) -> Path:
    """Writes the page as one HTML file; returns where it is.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    return write_page(
        Path(path),
        "study.html",
        title=page.title,
        page=page,
        figures=[
            Figure(plain(name), plate.title, shown(plate, plain(name)))
            for name, plate in page.plates.items()
        ],
        tables=[_sheet(name, table) for name, table in page.tables.items()],
        models=[(name, duration(seconds), how.split()) for name, how, seconds in page.models],
    )


def _title(name: str, table: Table) -> str:
    """What a table is called: by default its name, "per_seed" as "Per seed"."""
    return table.title or f"{name[:1].upper()}{name[1:]}".replace("_", " ")


def _sheet(name: str, table: Table) -> Sheet:
    heads = list(zip(table.columns, table.of_numbers(), strict=True))
    key = f"{plain(name)}-table"
    return Sheet(key, _title(name, table), heads, table.rows(), download(table, key))


def study_markdown(page: StudyPage, figures: Mapping[str, str]) -> str:
    """The same as Markdown; `figures` are the files of its plates by name, others are left out."""
    parts = [f"# {_text(page.title)}", f"**{_text(page.question)}**"]
    if page.lead:
        parts.append(_text(page.lead))
    parts += ["## Findings", page.score(), "\n".join(_finding(*each) for each in page.findings)]
    for name, plate in page.plates.items():
        if name in figures:
            parts += [f"## {_text(plate.title)}", f"![{_text(plate.alt)}]({figures[name]})"]
            parts.append(_text(f"{plate.about} {plate.see}"))
    for name, table in page.tables.items():
        parts.append(f"## {_text(_title(name, table))}")
        rows = [[_text(cell) for cell in row] for row in table.rows()]
        parts.append(_pipes([_text(head) for head in table.columns], table.of_numbers(), rows))
        if table.note:
            parts.append(_text(table.note))
    parts += ["## What was trained", page.trained()]
    trained = [[_text(name), duration(seconds), f"`{how}`"] for name, how, seconds in page.models]
    parts.append(_pipes(["model", "time", "how"], [False, True, False], trained))
    parts += ["## How to make it again", f"```sh\n{page.command}\n```"]
    for title, facts in (("Data", page.data), ("Versions and machine", page.versions)):
        if facts:
            parts += [f"### {title}", "\n".join(_fact(fact) for fact in facts)]
    return "\n\n".join(parts) + "\n"


def _finding(hypothesis: str, verdict: str, sentence: str) -> str:
    return f"- {_text(hypothesis)} **{verdict.capitalize()}.** {_text(sentence)}"


def _fact(fact: Fact) -> str:
    note = f" ({_text(fact.note)})" if fact.note else ""
    return f"- {_text(fact.name)}: {_text(fact.value)}{note}"


def _pipes(heads: Sequence[str], of_numbers: Sequence[bool], rows: Sequence[list[str]]) -> str:
    rule = ["---:" if right else "---" for right in of_numbers]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (heads, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _text(words: str) -> str:
    """Words as one line of Markdown that means nothing but these words.

    >>> print(_text("a <b> * c_d _e_"))
    a \\<b> \\* c_d \\_e\\_
    """
    return re.sub(r"[\\`*<]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(words.split()))
