"""The table of faults names tests that exist, for every fault that must be met."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    (int(number), re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row))
    for number, row in re.findall(
        r"^\| (\d+) (\|.*\|)$",
        (ROOT / "docs" / "faults.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    if "tests/" in row
]
MET = {*range(1, 21), *range(24, 32), 36, 41, 42, *range(43, 58), 62, 63, 64}


@cache
def defined_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_fault_has_its_row():
    assert {number for number, _ in ROWS} == MET


@pytest.mark.parametrize(("number", "tests"), ROWS, ids=lambda value: str(value)[:3])
def test_every_row_has_tests_that_exist(number, tests):
    assert tests
    for path, name in tests:
        assert name.startswith("test_")
        assert name in defined_in(path), f"{path}::{name}"
