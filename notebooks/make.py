"""Build the notebooks of the course: an exercise and a solution from each source.

    python notebooks/make.py                  all notebooks, executed
    python notebooks/make.py 01 03 --short    two of them, with few training steps
    python notebooks/make.py --exercises      the exercises alone; nothing is executed

A source is a Python file in jupytext's percent format. Between the lines `# exercise: TASK` and
`# end`, a code cell holds the solution of a task; the exercise has `# TODO: TASK` and `...` there.
A text cell that begins with `**Answer.**` is in the solution only; the exercise has room for an
answer. Solutions are executed, with warnings as errors. An exercise differs from its solution only
in the cells with tasks, so an exercise that is filled in with these cells is the solution.
A line `- KEY: LINK` becomes the citation of the paper KEY of `papers.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import jupytext  # type: ignore[import-untyped]  # it has no types
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

HERE = Path(__file__).parent
BUILD = HERE / "build"
SHORT = "AUTOENCODE_SHORT"  # the environment variable that the first cell of each source reads
PAPERS = HERE.parent / "src" / "autoencode" / "models" / "papers.json"
PAPER = re.compile(r"^- (\w+): (https?://\S+)$", re.MULTILINE)
ANSWER, ROOM = "**Answer.**", "*Your answer:*"
TASK = re.compile(r"^( *)# exercise: (.+)\n((?:.*\n)*?)\1# end$", re.MULTILINE)
# A cell that is executed first and not kept.
STRICT = """
import warnings

warnings.simplefilter("error")
warnings.simplefilter("ignore", PendingDeprecationWarning)  # ipykernel's own, at its end
"""
CELL_SECONDS = 1_800


class SourceError(Exception):
    """A source that cannot be built, and why."""


def sources(names: list[str] | None = None) -> list[Path]:
    """The sources in order; with `names`, those whose file names begin with one of them.

    Raises:
        SourceError: no source has such a name.
    """
    found = sorted(HERE.glob("[0-9][0-9]_*.py"))
    for name in names or []:
        if not any(path.name.startswith(name) for path in found):
            raise SourceError(f"No notebook begins with {name}: {', '.join(p.stem for p in found)}")
    return [path for path in found if not names or path.name.startswith(tuple(names))]


def without_markers(code: str) -> str:
    """The code of a cell with its solutions, without the lines that mark them."""
    return TASK.sub(lambda found: found[3].rstrip("\n"), code)


def with_blanks(code: str) -> str:
    """The code of a cell with a task and `...` in place of each solution."""
    return TASK.sub(lambda found: f"{found[1]}# TODO: {found[2]}\n{found[1]}...", code)


def with_citations(text: str) -> str:
    """A text cell with the authors, the year and the title of each paper that it links.

    Raises:
        SourceError: a paper is not in `papers.json`.
    """
    papers = json.loads(PAPERS.read_text(encoding="utf-8"))

    def cited(found: re.Match[str]) -> str:
        if found[1] not in papers:
            raise SourceError(f"There is no paper {found[1]} in {PAPERS.name}")
        paper = papers[found[1]]
        title = f"[{paper['title']}]({found[2]})"
        return f"- {paper['authors']} ({paper['year']}). {title}. {paper['where']}."

    return PAPER.sub(cited, text)


def solution(path: Path) -> NotebookNode:
    """The notebook with all solutions, not executed; cells with tasks have the tag `task`.

    Raises:
        SourceError: a marker of a task without its other end.
    """
    return _notebook(path, filled=True)


def exercise(path: Path) -> NotebookNode:
    """The notebook with blanks in place of the solutions; raises as `solution`."""
    return _notebook(path, filled=False)


def _notebook(path: Path, filled: bool) -> NotebookNode:
    notebook: NotebookNode = jupytext.read(path)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"  # jupytext draws a new one at each reading
        if cell.cell_type == "markdown" and cell.source.startswith(ANSWER):
            cell.metadata.tags = ["task"]
            cell.source = cell.source if filled else ROOM
        elif cell.cell_type == "code" and TASK.search(cell.source):
            cell.metadata.tags = ["task"]
            cell.source = (without_markers if filled else with_blanks)(cell.source)
        if cell.cell_type == "markdown":
            cell.source = with_citations(cell.source)
        if re.search(r"^ *# (exercise:|end$)", cell.source, re.MULTILINE):
            raise SourceError(
                f"{path.name}, cell {i}: a task needs both lines, `# exercise: …` and `# end`"
            )
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.metadata.pop("jupytext", None)
    return notebook


def filled_in(blank: NotebookNode, solved: NotebookNode) -> NotebookNode:
    """An exercise whose cells with tasks are replaced by those of the solution."""
    notebook: NotebookNode = nbformat.from_dict(blank)  # type: ignore[no-untyped-call]  # no types
    notebook.cells = [
        full if "task" in cell.metadata.get("tags", []) else cell
        for cell, full in zip(blank.cells, solved.cells, strict=True)
    ]
    return notebook


def execute(notebook: NotebookNode, short: bool = False) -> NotebookNode:
    """Execute a notebook in place, with warnings as errors.

    short: set `AUTOENCODE_SHORT`, with which the notebooks train for few steps.

    Raises:
        CellExecutionError: a cell raises an error or a warning.
    """
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop(SHORT, None)
    if short:
        environment[SHORT] = "1"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],  # errors; the kernel is local, and warns about TCP
        timeout=CELL_SECONDS,
        coalesce_streams=True,
        resources={"metadata": {"path": HERE}},
    )
    try:
        client.execute(env=environment)
    finally:
        del notebook.cells[0]
    for n, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.metadata.pop("execution", None)  # times of the day
        cell.execution_count = n
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = n
    return notebook


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as a valid .ipynb file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]  # no types


def build(path: Path, short: bool = False, exercise_only: bool = False) -> None:
    """Write both notebooks of a source, the solution with its outputs, or the exercise alone.

    Raises:
        SourceError: the filled-in exercise differs from the solution.
    """
    blank, solved = exercise(path), solution(path)
    if filled_in(blank, solved).cells != solved.cells:
        raise SourceError(f"{path.name}: the exercise, filled in, differs from the solution")
    write(blank, BUILD / "exercise" / f"{path.stem}.ipynb")
    if exercise_only:
        return
    write(execute(solved, short), BUILD / "solution" / f"{path.stem}.ipynb")


def _processor_seconds() -> float:
    """What the kernels have used so far: on a busy machine, the wall clock says little."""
    times = os.times()
    return times.children_user + times.children_system


def main(arguments: list[str] | None = None) -> int:
    """Build the notebooks that are named, or all; the exit code is 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="as 01; all without a name")
    parser.add_argument("--short", action="store_true", help="train for few steps")
    parser.add_argument("--exercises", action="store_true", help="write the exercises alone")
    given = parser.parse_args(arguments)
    failed = False
    try:
        chosen = sources(given.names)
    except SourceError as error:
        parser.error(str(error))
    for path in chosen:
        began, used = time.monotonic(), _processor_seconds()
        try:
            build(path, given.short, given.exercises)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, SourceError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed = True
            continue
        if given.exercises:
            print(BUILD / "exercise" / f"{path.stem}.ipynb")
        else:
            seconds, used = time.monotonic() - began, _processor_seconds() - used
            print(f"{path.stem}: {seconds:.0f} s, {used:.0f} s of processor time", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
