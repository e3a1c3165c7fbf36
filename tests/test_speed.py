"""The benchmark of speed runs, its networks are those of the package, and its page is current."""

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
    """Imports a module of the package `speed` in benchmarks/."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield lambda name: importlib.import_module(f"speed.{name}")
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize(
    ("recipe", "shape"), [("ae", (28, 28)), ("conv-ae", (28, 28)), ("conv-ae", (3, 64, 64))]
)
def test_plain_networks_are_those_of_the_recipes(speed, recipe, shape):
    nets = speed("workloads.nets")
    image = (1, *shape) if len(shape) == 2 else shape
    with torch.random.fork_rng(devices=[]):
        net = nets.course_net(2) if recipe == "ae" else nets.conv_net(image, 2)
    row = RECIPES[recipe]
    model = build(row, sizes_for(row, shape, n=10), seed=0)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), model.parameters(), strict=True):
            parameter.copy_(value)
        x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
        plain = net.eval()(x.reshape(4, *image)).reshape(4, *shape)
        images = model.eval()(x).images
    torch.testing.assert_close(plain, images, atol=1e-5, rtol=1e-5)


def test_lower_bounds_are_the_arithmetic_of_a_step(speed):
    """Counted by torch's FlopCounterMode, over a complete step of the plain network."""
    from torch.utils.flop_counter import FlopCounterMode

    bounds, nets = speed("workloads.lower_bounds"), speed("workloads.nets")
    shape = (1, 28, 28)
    with torch.random.fork_rng(devices=[]):
        for net, bound in (
            (nets.course_net(2), bounds.products(2, "float32", "oneDNN")),
            (nets.conv_net(shape, 2), bounds.convolutions(shape, 2, "float32", "channels last")),
        ):
            with FlopCounterMode(display=False) as complete:
                net(torch.rand(bounds.BATCH, *shape)).sum().backward()
            bound.advance(1)  # the first call also tests oneDNN's float32 products
            with FlopCounterMode(display=False) as arithmetic:
                bound.advance(1)
            assert arithmetic.get_total_flops() == complete.get_total_flops()


def test_a_trainer_with_its_own_loop_is_paused_between_blocks(speed):
    done = []

    def train(on_step):
        for number in range(5):
            done.append(number)
            on_step()

    training = speed("workloads.steps").ThreadedTrainer(train)
    assert done == []
    training.advance(2)
    assert done == [0, 1]
    training.advance(3)
    assert done == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="the training has ended"):
        training.advance(1)


def test_a_process_says_why_a_request_fails(speed):
    process = speed("process")
    with pytest.raises(process.WorkloadError, match=r"there is no \.venv-peers"):
        process.WorkerProcess(Path("/nowhere/.venv-peers/bin/python"))
    worker = process.WorkerProcess(Path(sys.executable))
    with pytest.raises(process.WorkloadError, match="ModuleNotFoundError"):
        worker.request("call", function="nothing:nothing", args={})
    versions = worker.request("call", function="libraries:versions", args={})["result"]
    assert "torch" in versions
    worker.end()


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
    assert figures.at_least(1, "", 1.9, 2).reached is False
    assert figures.at_most(1, "", 1.3, 1.4).reached is True
    assert figures.at_least(1, "", None, 2).reached is None


def quick(folder, *words):
    command = [sys.executable, str(ROOT / "benchmarks" / "speed"), "--quick", "--out", str(folder)]
    # Without the other libraries, which need not be installed.
    command += ["--peers", str(folder / ".venv-peers" / "bin" / "python"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    records = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    return records, (folder / "benchmarks.md").read_text(encoding="utf-8")


def test_the_page_of_a_gpu(speed):
    gpu = speed("sections.gpu")
    assert "No GPU has been measured" in gpu.page({"name": None})
    rows = [
        {"compile": "off", "steps": 50_000, "seconds": 21.0, "compiling": 0.0, "error": 32.0},
        {"compile": "on", "steps": 50_000, "seconds": 9.0, "compiling": 4.0, "error": 32.1},
    ]
    record = {
        "name": "A GPU",
        "not_measured": {},
        "rows": rows,
        "plain": 3e-4,
        "many": {"models": 64, "steps": 1000, "seconds": 12.0, "compiling": 7.0},
        "conv": {"conv-ae, --compile off": 2e-3},
        "plain_conv": {"plain PyTorch": 4e-3},
        "colour": [{"latent": 16, "steps": 8000, "seconds": 60.0, "error": 50.0, "pca": 52.9}],
    }
    page = gpu.page(record)
    assert "`fit_many`, take 12.0 s for 1,000 steps each, 7.0 s of them for tracing" in page
    assert "Not measured: colour images (why)." in gpu.page(
        {"name": "A", "not_measured": {"colour": "why"}}
    )
    assert "| conv-ae, --compile off | 2.00 |" in page
    assert "| 16 | 8,000 | 60 | 50.00 | 52.90 |" in page
    assert "| plain PyTorch | 4.00 |" in page
    assert "| off | 50,000 | 21.0 | 0.0 | 420 | 32.00 |" in page
    assert "| on | 50,000 | 9.0 | 4.0 | 100 | 32.10 |" in page
    assert "300 µs per step, 15 s for 50,000 steps" in page


def test_the_page_is_written_from_the_records(speed):
    records = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == speed("page").page(records)
    assert list(records) == [name for name in speed("sections").SECTIONS if name in records]


@pytest.mark.long
def test_the_benchmark_of_a_gpu_runs_on_a_processor(tmp_path):
    words = ["--quick", "--out", str(tmp_path), "--peers", str(tmp_path / "none")]
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))["gpu"]
    assert [row["latent"] for row in record["colour"]] == [16, 128]
    assert set(record["conv"]) == {"conv-ae, --compile off"}
    assert set(record["plain_conv"]) == {"plain PyTorch"}
    assert "many: {'models': 2" in done.stdout
    assert record["many"]["models"] == 2
    assert record["not_measured"] == {}


@pytest.mark.slow
def test_the_benchmark_runs_without_other_libraries(tmp_path):
    records, page = quick(tmp_path)
    assert {"training", "parity", "convolutions", "variational", "use", "start"} <= set(records)
    for row in records["training"]["d=2"]:
        assert ("Pythae" in row["name"]) <= ("not_measured" in row)
        assert all(each > 0 for each in row.get("ms", ()))
    assert "2 latent dimensions, bf16, relative to Pythae | at least 4 | not measured" in page
    assert "Pythae VAE | not measured: there is no .venv-peers" in page
    assert "these results mean nothing" in page
    assert [row["compile"] for row in records["gpu"]["rows"]] == ["off"]
    assert {row["name"] for row in records["optimizer"]["rows"]} == set(
        records["optimizer"]["startup"]
    )
    assert "no GPU; measured on a CPU; the network" in page
    again, _ = quick(tmp_path, "--only", "variational")
    assert list(again) == list(records)
    assert again["variational"] != records["variational"]
    assert {**again, "variational": 0} == {**records, "variational": 0}
