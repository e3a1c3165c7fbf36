"""The house itself: floors, circles, file lengths, who may draw, what starts quickly."""

import ast
import subprocess
import sys
import time
import zipfile
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "autoencode"
FILES = sorted(SOURCE.rglob("*.py"))

FLOORS = {
    "errors": -1,
    "lazy": -1,
    "version": -1,
    "arguments": 0,
    "io": 1,
    "contract": 1,
    "maths": 1,
    "parts": 2,
    "data": 2,
    "explore": 2,
    "models": 3,
    "train": 4,
    "evaluation": 4,
    "report": 5,
    "explorer": 6,
    "use": 6,
    "sklearn": 7,
    "scale": 7,
    "studies": 8,
    "cli": 9,
    "__main__": 10,
}


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Modules of the package that a file imports, anywhere in it, without the package's name."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"relative: {path}"
            continue
        found |= {n.removeprefix("autoencode.") for n in names if n.startswith("autoencode.")}
    return frozenset(found)


def room_of(module: str) -> str:
    return module.split(".")[0]


def test_the_walk_sees_the_house():
    assert len(FILES) > 30
    assert "models.recipe" in imports_of(SOURCE / "models" / "recipes" / "table.py")


def test_imports_go_down():
    for path in FILES:
        room = room_of(module_of(path))
        if not room:
            continue  # the face names its homes as strings and imports them when they are used
        assert room in FLOORS, f"{room} has no floor"
        for target in map(room_of, imports_of(path)):
            assert target == room or FLOORS[target] < FLOORS[room], f"{path} imports {target}"


def test_no_slot_of_parts_imports_another():
    slots = {"networks", "bottlenecks", "priors", "terms", "likelihoods"}
    slots |= {"corruptions", "contexts", "samplers"}
    for path in (SOURCE / "parts").rglob("*.py"):
        own = module_of(path).split(".")[1:2]
        if not own:
            continue  # the room's own door lists them all
        for target in imports_of(path):
            room, *rest = target.split(".")
            assert room != "parts" or not rest or rest[0] == own[0] or rest[0] not in slots


def test_rooms_of_training_import_one_way():
    order = ["settings", "precision", "schedules", "augment", "prefetch", "batches", "checks"]
    order += ["distributed", "distributed_layers"]
    order += [
        "start",
        "fitting",
        "optimizer",
        "average",
        "state",
        "restarts",
        "meter",
        "distributed_check",
        "step",
        "compile",
        "checkpoint",
        "log",
    ]
    order += [
        "progress",
        "validation",
        "final_checks",
        "run_folder",
        "callbacks",
        "trainer",
        "session",
        "entry",
    ]
    for path in (SOURCE / "train").rglob("*.py"):
        own = module_of(path).split(".")[1:2]
        if not own:
            continue  # the door
        for target in imports_of(path):
            room, *rest = target.split(".")
            if room == "train" and rest and rest[0] != own[0]:
                assert order.index(rest[0]) < order.index(own[0]), f"{path}: {target}"


def test_class_names_are_unique():
    """Outside the slots of `parts/`, where the slot says which `Gaussian` it is."""
    homes: dict[str, list[str]] = {}
    for path in FILES:
        if module_of(path).startswith("parts."):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module_of(path))
    assert not {name: where for name, where in homes.items() if len(where) > 1}


def test_metrics_are_pure_functions_of_arrays():
    allowed = {"arguments", "contract", "errors", "io", "maths"}
    allowed |= {"evaluation.metrics", "evaluation.thresholds"}
    for path in (SOURCE / "evaluation" / "metrics").rglob("*.py"):
        for target in imports_of(path) - {"evaluation"}:
            room, *rest = target.split(".")
            known = {room, ".".join([room, *rest[:1]])} & allowed
            assert known or target in ("data", "data.scaled"), f"{path}: {target}"


def test_no_circles():
    modules = {module_of(path) for path in FILES}
    graph = {module_of(path): imports_of(path) & modules - {module_of(path)} for path in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done:
            return
        for target in graph[module]:
            # A room's door imports its rooms; they may not come back through it.
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_files_are_short():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {path: length for path, length in lengths.items() if length > 400}


def modules_with(words):
    return {module_of(path) for path in FILES if words in path.read_text(encoding="utf-8")}


def test_only_the_report_draws():
    assert {room_of(module) for module in modules_with("matplotlib")} == {"report"}


def test_nothing_is_unpickled():
    for words in ("weights_only=False", "allow_pickle=True", "torch.load"):
        assert not modules_with(words), words
    # The one reader of a foreign pickle allows numpy arrays only.
    assert modules_with("import pickle") == {"data.named.download"}
    # Callbacks go to workers in messages of Dask, which are pickles already.
    assert modules_with("import cloudpickle") == {"scale.callbacks"}


@pytest.mark.long
def test_help_of_every_verb_imports_nothing_heavy():
    code = (
        "import sys, typer\n"
        "from autoencode.cli.main import app, main\n"
        "groups = {(): typer.main.get_command(app).commands}\n"
        "groups[('data',)] = groups[()]['data'].commands\n"
        "for words in [[], *([*group, verb] for group in groups for verb in groups[group])]:\n"
        "    try: main([*words, '--help'])\n"
        "    except SystemExit as left: assert not left.code\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for words in ("demo", "--batch-size", "--split-seed", "SHA-256"):
        assert words in done.stdout


@pytest.mark.parametrize("package", ["autoencode", "autoencode.data", "autoencode.train"])
def test_type_checkers_see_the_names_of_a_lazy_package(package):
    """What is imported under `TYPE_CHECKING` is what the package gives, and the same objects."""
    path = SOURCE.parent / package.replace(".", "/") / "__init__.py"
    seen = {
        alias.name: node.module
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.module not in ("typing", "autoencode.lazy")
        for alias in node.names
    }
    module = import_module(package)
    public = sorted(name for name in seen if not name.startswith("_"))
    assert public == module.__all__ == dir(module)
    for name, home in seen.items():
        assert getattr(module, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.slow
def test_help_is_quick():
    """Under 0.3 s, the best of five on a machine that may be busy."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "autoencode", "--help"], check=True, stdout=-3)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.3


@pytest.mark.long
def test_the_wheel_has_types_and_files(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=SOURCE.parents[1], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = ["py.typed", "explorer/assets/explorer.js", "report/templates/page.html"]
    assert {f"autoencode/{name}" for name in data} <= names
    assert not [name for name in names if name.startswith("tests/")]
