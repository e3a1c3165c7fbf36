"""The notebooks of the course: two versions from each source, and what each of them must have."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupytext")
pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
PLAIN = """# %% [markdown]
# # A title

# %%
x = 1
"""


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_notebooks", ROOT / "notebooks" / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_notebooks"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path):
    """source(cells) -> the path of a source with these cells after a title and x = 1."""

    def written(cells):
        path = tmp_path / "10_test.py"
        path.write_text(f"{PLAIN}\n{cells}", encoding="utf-8")
        return path

    return written


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_there_are_notebooks_in_order():
    assert [path.name[:2] for path in SOURCES] == [f"{i:02}" for i in range(1, len(SOURCES) + 1)]
    assert len(SOURCES) >= 3


# A cell, its solution and its exercise.
CELLS = {
    "one": (
        "y = 0\n# exercise: add 1\ny = x + 1\n# end\nprint(y)",
        "y = 0\ny = x + 1\nprint(y)",
        "y = 0\n# TODO: add 1\n...\nprint(y)",
    ),
    "two in a cell": (
        "# exercise: a\na = 1\n# end\n# exercise: b\nb = 2\n# end",
        "a = 1\nb = 2",
        "# TODO: a\n...\n# TODO: b\n...",
    ),
    "indented, many lines, an empty one": (
        "def f(x):\n    # exercise: the sum\n    y = x\n\n    return y + 1\n    # end",
        "def f(x):\n    y = x\n\n    return y + 1",
        "def f(x):\n    # TODO: the sum\n    ...",
    ),
    "a nested block": (
        "for i in range(2):\n    # exercise: odd\n    if i % 2:\n        print(i)\n    # end",
        "for i in range(2):\n    if i % 2:\n        print(i)",
        "for i in range(2):\n    # TODO: odd\n    ...",
    ),
    "other words": (
        "# exercise: σ², 100 %: $x$ \\1\nz = r'\\1 \\n'\n# end",
        "z = r'\\1 \\n'",
        "# TODO: σ², 100 %: $x$ \\1\n...",
    ),
    "a comment about an end": (
        "# ends here\nx = 2  # the end",
        "# ends here\nx = 2  # the end",
        None,
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_two_versions(make, source, name):
    cell, solved, blank = CELLS[name]
    path = source(f"# %%\n{cell}\n")
    assert code_of(make.solution(path)) == ["x = 1", solved]
    assert code_of(make.exercise(path)) == ["x = 1", blank or solved]
    tags = make.exercise(path).cells[-1].metadata.get("tags", [])
    assert tags == (["task"] if blank else [])


def test_an_answer_is_only_in_the_solution(make, source):
    path = source("# %% [markdown]\n# **Answer.** Forty-two.\n")
    assert "Forty-two" in text_of(make.solution(path))
    assert "Forty-two" not in text_of(make.exercise(path))
    assert make.ROOM in text_of(make.exercise(path))


@pytest.mark.parametrize(
    "cell",
    [
        "# exercise: no end\nx = 1",
        "x = 1\n# end",
        "if x:\n    # exercise: other indents\n    x = 1\n# end",
        "# exercise: none\n# exercise: inside\nx = 1\n# end",
    ],
)
def test_a_marker_without_its_other_end_is_refused(make, source, cell):
    with pytest.raises(make.SourceError, match="needs both lines"):
        make.solution(source(f"# %%\n{cell}\n"))


def test_exercises_are_written_alone(make, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "BUILD", tmp_path)
    assert make.main(["--exercises", "01", "05"]) == 0
    written = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert capsys.readouterr().out.split() == [str(path) for path in written]
    assert [path.parent.name + path.name[:2] for path in written] == ["exercise01", "exercise05"]
    for path in written:
        found = nbformat.read(path, nbformat.NO_CONVERT)
        assert not any(cell.get("outputs") for cell in found.cells)
        assert "# TODO: " in path.read_text(encoding="utf-8")


def test_papers_are_cited_in_full(make, source):
    cell = "# %% [markdown]\n# - kingma2014: https://arxiv.org/abs/1312.6114\n"
    text = text_of(make.exercise(source(cell)))
    assert "D. P. Kingma, M. Welling (2014). [Auto-encoding variational Bayes](https:" in text
    with pytest.raises(make.SourceError, match="no paper nobody1900"):
        make.solution(source("# %% [markdown]\n# - nobody1900: https://example.org\n"))


def test_names_choose_sources(make):
    assert make.sources() == SOURCES
    assert [path.name[:2] for path in make.sources(["03", "01"])] == ["01", "03"]
    with pytest.raises(make.SourceError, match="No notebook begins with 77"):
        make.sources(["77"])
    with pytest.raises(SystemExit):
        make.main(["77"])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_an_exercise_differs_in_its_tasks_only(make, path):
    blank, solved = make.exercise(path), make.solution(path)
    text = path.read_text(encoding="utf-8")
    tasks = re.findall(r"# exercise: (.+)", text)
    assert len(tasks) >= 3
    code = "\n".join(code_of(blank))
    assert re.findall(r"# TODO: (.+)", code) == tasks
    # No line of a solution is left in its cell, except such as `else:`.
    for cell in blank.cells:
        assert "Answer." not in cell.source
    for body in re.findall(r"# exercise: .+\n((?:.*\n)*?) *# end\n", text):
        assert body.strip() not in code
    assert "# exercise:" not in "\n".join(code_of(solved))
    assert "# TODO:" not in "\n".join(code_of(solved))
    differing = [a.id for a, b in zip(blank.cells, solved.cells, strict=True) if a != b]
    tagged = [cell.id for cell in blank.cells if cell.metadata.get("tags") == ["task"]]
    assert differing == tagged
    assert make.filled_in(blank, solved).cells == solved.cells


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_code_of_both_versions_is_valid(make, path):
    for notebook in (make.exercise(path), make.solution(path)):
        nbformat.validate(notebook)
        for code in code_of(notebook):
            ast.parse(code)
    names = {
        node.id
        for node in ast.walk(ast.parse("\n".join(code_of(notebook))))
        if type(node) is ast.Name
    }
    assert "SHORT" in names  # the short form


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_ends_with_a_finding_questions_and_papers(make, path):
    solved = make.solution(path)
    text = text_of(solved)
    assert text.startswith(f"# {int(path.name[:2])}. ")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    headings = [part.partition("\n")[0] for part in parts]
    assert headings[-3:] == ["Finding", "Questions", "Papers"]
    assert re.findall(r"^(\d)\. .*\?", parts[-2], re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^\d\. ", parts[-2], re.MULTILINE)) == 3
    assert parts[-2].count("**Answer.**") == 3
    assert len(re.findall(r"\]\(https?://\S+\)", parts[-1])) >= 2
    # The finding is printed by the cell after its heading.
    (i,) = (i for i, cell in enumerate(solved.cells) if cell.source.startswith("## Finding"))
    finding = next(cell.source for cell in solved.cells[i:] if cell.cell_type == "code")
    assert re.search(r"print\(\s*f[\"'].*\{", finding)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_cells_are_short(make, path):
    for code in code_of(make.solution(path)):
        assert len(code.splitlines()) <= 60, code


@pytest.mark.long
def test_warnings_and_errors_stop_a_notebook(make, source, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "BUILD", tmp_path / "build")
    path = source("# %%\nimport warnings\n\nwarnings.warn('careful', UserWarning)\n")
    monkeypatch.setattr(make, "HERE", tmp_path)
    assert make.main(["10"]) == 1
    assert "careful" in capsys.readouterr().err
    assert not (tmp_path / "build" / "solution" / path.name).exists()


@pytest.mark.long
def test_a_cell_that_takes_too_long_stops_a_notebook(make, source, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "BUILD", tmp_path / "build")
    monkeypatch.setattr(make, "HERE", tmp_path)
    monkeypatch.setattr(make, "CELL_SECONDS", 1)
    source("# %%\nimport time\n\ntime.sleep(60)\n")
    assert make.main(["10"]) == 1
    assert "timed out" in capsys.readouterr().err


@pytest.mark.long
def test_a_notebook_is_executed_and_kept(make, source, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "BUILD", tmp_path / "build")
    monkeypatch.setattr(make, "HERE", tmp_path)
    source(
        "# %%\nimport os\n\n# exercise: x\nx = 2\n# end\n"
        "print(x, 'AUTOENCODE_SHORT' in os.environ)\n"
    )
    assert make.main(["10", "--short"]) == 0
    solved = nbformat.read(tmp_path / "build" / "solution" / "10_test.ipynb", as_version=4)
    assert solved.cells[-1].outputs[0].text == "2 True\n"
    assert [cell.get("execution_count") for cell in solved.cells] == [None, 1, 2]
    blank = nbformat.read(tmp_path / "build" / "exercise" / "10_test.ipynb", as_version=4)
    assert blank.cells[-1].outputs == []
    assert "x = 2" not in blank.cells[-1].source


@pytest.mark.long
@pytest.mark.parametrize("name", ["01", "03"])
def test_notebooks_run_in_the_short_form(make, name):
    (path,) = make.sources([name])
    solved = make.execute(make.solution(path), short=True)
    pictures = [
        output
        for cell in solved.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 5
    finding = next(cell for cell in reversed(solved.cells) if cell.cell_type == "code")
    assert re.search(r"squared error .* \d+\.\d", finding.outputs[-1].text)
