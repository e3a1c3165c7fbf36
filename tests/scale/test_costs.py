"""The benchmark of docs/scale.md, of which its figures are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_benchmark_of_the_costs_runs(tmp_path):
    words = ["--tasks", "5", "20", "--images", "20"]
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), *words]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows if row[0][2].isdigit()] == [
        *("| 5", "| 20"),
        *("| 32×32", "| 256×256"),
        *("| 32×32", "| 256×256"),
    ]
    assert not list(tmp_path.iterdir())


def test_what_binds_is_the_slowest_of_what_runs_at_once(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scale

    each = scale.Costs(32, file_bytes=900, row_bytes=100, read=0, decode=9e-6, encode=0, write=1e-6)
    # 10⁹ images: 10,000 s of a core, 320 s of the storage, 100,000 tasks.
    assert scale.binding(each, 10, 1e-3) == (pytest.approx(1_000 / 3600), "workers")
    assert scale.binding(each, 100, 1e-3) == (pytest.approx(320 / 3600), "storage")
    assert scale.binding(each, 1_000, 4e-3) == (pytest.approx(400 / 3600), "scheduler")
