"""What error is reached within five minutes."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Claim
from speed.sections.quality import Rows, reached, table, trained


class Within:
    """A section of rows that are trained whole."""

    def __init__(self, words: str, rows: Rows) -> None:
        self.words, self.rows = words, rows

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Error and seconds of each seed of each row."""
        return {"rows": trained(bench, self.rows)}

    def page(self, record: dict[str, Any]) -> str:
        """A table of them."""
        return "\n".join([self.words, "", *table(record["rows"], self.rows), ""])

    def claims(self, record: dict[str, Any]) -> list[Claim]:
        """Where an error was asked for."""
        return reached(record["rows"], self.rows)


PLANE = Within(
    "The least error within five minutes:", {"ae-funnel": ("ae-funnel", 2, {}, 25.0, 300)}
)
WIDER = Within(
    "The same with more numbers in a code:",
    {
        "ae-deep, d=16": ("ae-deep", 16, {}, None, 300),
        "ae-deep, d=30": ("ae-deep", 30, {}, 2.75, 300),
    },
)
