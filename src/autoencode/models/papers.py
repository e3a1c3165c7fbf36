"""The bibliography: keys stand in docstrings and recipes; `describe.papers` cites a model's."""

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


_KEPT = files("autoencode.models").joinpath("papers.json").read_text(encoding="utf-8")
# By key, the oldest first.
PAPERS = {key: Paper(**said) for key, said in json.loads(_KEPT).items()}
