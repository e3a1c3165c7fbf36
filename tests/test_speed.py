"""The benchmark of speed runs, its networks are ours, and its page says what was found."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def speed():
    """Imports a module of the package, which lies in benchmarks/."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield lambda name: importlib.import_module(f"speed.{name}")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize(
    ("recipe", "shape"), [("ae", (28, 28)), ("conv-ae", (28, 28)), ("conv-ae", (3, 64, 64))]
)
def test_networks_by_hand_compute_what_ours_do(speed, recipe, shape):
    nets = speed("contenders.nets")
    image = (1, *shape) if len(shape) == 2 else shape
    with torch.random.fork_rng(devices=[]):
        net = nets.course_net(2) if recipe == "ae" else nets.conv_net(image, 2)
    row = RECIPES[recipe]
    model = build(row, sizes_for(row, shape, n=10), seed=0)
    with torch.no_grad():
        for theirs, mine in zip(net.parameters(), model.parameters(), strict=True):
            theirs.copy_(mine)
        x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
        theirs = net.eval()(x.reshape(4, *image)).reshape(4, *shape)
        mine = model.eval()(x).images
    torch.testing.assert_close(theirs, mine, atol=1e-5, rtol=1e-5)


def test_the_floor_is_the_arithmetic_of_a_step(speed):
    """Counted by torch's own counter, over a whole step of the net by hand."""
    from torch.utils.flop_counter import FlopCounterMode

    floor, nets = speed("contenders.floor"), speed("contenders.nets")
    shape = (1, 28, 28)
    with torch.random.fork_rng(devices=[]):
        for net, alone in (
            (nets.course_net(2), floor.products(2, "float32", "oneDNN")),
            (nets.conv_net(shape, 2), floor.convolutions(shape, 2, "float32", "channels last")),
        ):
            with FlopCounterMode(display=False) as whole:
                net(torch.rand(floor.BATCH, *shape)).sum().backward()
            alone.advance(1)  # once before: oneDNN's float32 products are tried first
            with FlopCounterMode(display=False) as least:
                alone.advance(1)
            assert least.get_total_flops() == whole.get_total_flops()


def test_a_trainer_that_owns_its_loop_does_as_many_steps_as_it_is_told(speed):
    done = []

    def train(stepped):
        for number in range(5):
            done.append(number)
            stepped()

    training = speed("contenders.steps").Paused(train)
    assert done == []
    training.advance(2)
    assert done == [0, 1]
    training.advance(3)
    assert done == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="came to its end"):
        training.advance(1)


def test_what_a_process_cannot_do_is_said(speed):
    process = speed("process")
    with pytest.raises(process.Failed, match=r"there is no \.venv-peers"):
        process.Process(Path("/nowhere/.venv-peers/bin/python"))
    there = process.Process(Path(sys.executable))
    with pytest.raises(process.Failed, match="ModuleNotFoundError"):
        there.ask("call", what="nothing:nothing", args={})
    assert "torch" in there.ask("call", what="libraries:versions", args={})["result"]
    there.end()


def test_ratios_are_of_medians_and_of_single_images(speed):
    figures = speed("figures")
    rows = [
        {"name": "a", "images": 200, "block": 1, "ms": [1.0, 2.0, 9.0]},
        {"name": "b", "images": 100, "block": 1, "ms": [3.0, 3.0, 3.0]},
        {"name": "c", "not_measured": "why"},
    ]
    assert figures.times_faster(rows, "a", "b") == 3.0
    assert figures.times_faster(rows, "a", "c") is None
    assert "| b | 3.00 | 3.00 to 3.00 | 33,333 | 3.00 |" in figures.table(rows, "a")
    assert "| c | not measured: why |" in figures.table(rows, "a")
    assert figures.at_least(1, "", 1.9, 2).holds is False
    assert figures.at_most(1, "", 1.3, 1.4).holds is True
    assert figures.at_least(1, "", None, 2).holds is None


def quick(folder, *words):
    command = [sys.executable, str(ROOT / "benchmarks" / "speed"), "--quick", "--out", str(folder)]
    # Without the other libraries: whether they can be had must not matter.
    command += ["--peers", str(folder / ".venv-peers" / "bin" / "python"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    kept = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    return kept, (folder / "benchmarks.md").read_text(encoding="utf-8")


def test_a_gpu_is_measured_where_there_is_one(speed):
    gpu = speed("sections.gpu")
    assert "No GPU has been measured" in gpu.page({"name": None})
    rows = [
        {"compile": "off", "steps": 50_000, "seconds": 21.0, "compiling": 0.0, "error": 32.0},
        {"compile": "on", "steps": 50_000, "seconds": 9.0, "compiling": 4.0, "error": 32.1},
    ]
    page = gpu.page({"name": "A GPU", "rows": rows, "plain": 3e-4})
    assert "| off | 50,000 | 21.0 | 0.0 | 32.00 |" in page
    assert "| on | 50,000 | 9.0 | 4.0 | 32.10 |" in page
    assert "300 µs a step, 15 s for 50,000" in page


@pytest.mark.slow
def test_the_benchmark_runs_without_other_libraries(tmp_path):
    kept, page = quick(tmp_path)
    assert {"training", "parity", "convolutions", "variational", "use", "start"} <= set(kept)
    for row in kept["training"]["d=2"]:
        assert ("Pythae" in row["name"]) <= ("not_measured" in row)
        assert all(each > 0 for each in row.get("ms", ()))
    assert "MLP training, d=2, bf16: times Pythae | at least 4 | not measured" in page
    assert "Pythae VAE | not measured: there is no .venv-peers" in page
    assert "these figures mean nothing" in page
    assert [row["compile"] for row in kept["gpu"]["rows"]] == ["off"]
    assert {row["name"] for row in kept["optimizer"]["rows"]} == set(kept["optimizer"]["alone"])
    assert "no GPU, a processor; the course's net" in page
    again, _ = quick(tmp_path, "--only", "variational")
    assert list(again) == list(kept)
    assert again["variational"] != kept["variational"]
    assert {**again, "variational": 0} == {**kept, "variational": 0}
