"""What error is reached in which time with more numbers in a code."""

from __future__ import annotations

from typing import Any

from speed.bench import Bench
from speed.figures import Claim
from speed.sections.quality import Rows, reached, table, trained

ROWS: Rows = {
    "ae-deep, d=16": ("ae-deep", 16, {}, None, 300),
    "ae-deep, d=30": ("ae-deep", 30, {}, 2.75, 300),
}


def measure(bench: Bench) -> dict[str, Any]:
    return {"rows": trained(bench, ROWS)}


def page(record: dict[str, Any]) -> str:
    lines = ["The same with more numbers in a code:", "", *table(record["rows"], ROWS), ""]
    return "\n".join(lines)


def claims(record: dict[str, Any]) -> list[Claim]:
    return reached(record["rows"], ROWS)
