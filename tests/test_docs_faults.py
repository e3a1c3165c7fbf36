"""The table of faults names tests that exist, and quotes messages of the sources."""

import ast
import re
from functools import cache
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).parents[1]
TABLE = re.findall(
    r"^\| (\d+) (\|.*\|)$",
    (ROOT / "docs" / "faults.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
ROWS = [
    (int(number), re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row))
    for number, row in TABLE
    if "tests/" in row
]
MESSAGES = [
    quoted
    for _, row in TABLE
    for quoted in re.findall(r"`([^`]+)`", row)
    if " " in quoted and not quoted.startswith("--")
]
TESTED = {*range(1, 21), *range(24, 32), 36, 41, 42, *range(43, 58), 62, 63, 64}
TESTED |= {*range(65, 69), *range(90, 118)}


@cache
def defined_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def strings_of_the_sources():
    """All texts of the package, one a line; parts that are put in at run time are left out."""
    found = []

    def collect(constant):
        if isinstance(constant, str):
            found.append(constant)
        elif isinstance(constant, tuple | frozenset):
            for each in constant:
                collect(each)
        elif isinstance(constant, CodeType):
            collect(constant.co_consts)

    for path in sorted((ROOT / "src" / "autoencode").rglob("*.py")):
        collect(compile(path.read_text(encoding="utf-8"), path, "exec", dont_inherit=True))
    return "\n".join(found)


def test_every_fault_has_its_row():
    assert {number for number, _ in ROWS} == TESTED


@pytest.mark.parametrize(("number", "tests"), ROWS, ids=lambda value: str(value)[:3])
def test_every_row_has_tests_that_exist(number, tests):
    assert tests
    for path, name in tests:
        assert name.startswith("test_")
        assert name in defined_in(path), f"{path}::{name}"


@pytest.mark.parametrize("message", MESSAGES)
def test_quoted_messages_are_those_of_the_sources(message):
    # Paths, numbers and quoted names differ from error to error; punctuation may join two texts.
    fixed = re.split(r"[\w./]*[A-Z]{3,}[\w./]*|\d[\d.,]*|\"[^\"]*\"|[…,;:()]", message)
    for part in filter(None, (part.strip(" .?") for part in fixed)):
        assert part in strings_of_the_sources(), part
