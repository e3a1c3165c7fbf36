"""The bibliography of papers.json; docstrings and recipes refer to its keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Paper:
    """One publication."""

    authors: str
    year: int
    title: str
    where: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}). {self.title}. {self.where}."


_TEXT = files("autoencode.models").joinpath("papers.json").read_text(encoding="utf-8")
# Key -> paper, in order of publication.
PAPERS = {key: Paper(**entry) for key, entry in json.loads(_TEXT).items()}
