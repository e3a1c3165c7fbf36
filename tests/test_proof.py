"""The proofs run, and docs/proof.md is written from their results."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def proofs():
    """The package of the proofs, in benchmarks/."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("proofs")
    sys.path.remove(str(BENCHMARKS))


def run_proof(row, folder):
    """Runs a proof in seconds: a few steps on images of 8×8."""
    words = ["--steps", "12", "--images", "40", "--seeds", "2", "--data", "digits"]
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "docs")]
    command = [sys.executable, str(BENCHMARKS / "papers.py"), row, *words, *places]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    # 1: a claim does not hold, as expected after 12 steps.
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, json.loads((folder / "docs" / "proof.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_proof_is_printed_and_stored(tmp_path):
    output, records = run_proof("contractive-ae", tmp_path)
    claims = records["contractive-ae"]["claims"]
    assert len(claims) == 2
    assert all(claim["what"] in output for claim in claims)
    page = (tmp_path / "docs" / "proof.md").read_text(encoding="utf-8")
    assert "autoencode train contractive-ae --data digits --steps 12" in page
    # Finished trainings are not repeated.
    weights = list((tmp_path / "runs").glob("*/weights.safetensors"))
    written = [path.stat().st_mtime_ns for path in weights]
    run_proof("contractive-ae", tmp_path)
    assert len(weights) == 2
    assert [path.stat().st_mtime_ns for path in weights] == written


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        "vae", "iwae", "vamp-vae", "flow-vae", "ladder-vae", "mog-vae", "m2", "m1-m2", "rae-l2",
        "conv-denoising-ae", "masked-ae", "cvae", "sparse-top-k",
    ],
)  # fmt: skip
def test_every_proof_runs(row, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    _, records = run_proof(row, tmp_path)
    assert records[row]["claims"]


def test_every_proof_is_tested(proofs):
    marks = test_every_proof_runs.pytestmark
    rows = next(mark.args[1] for mark in marks if mark.name == "parametrize")
    assert {*rows, "contractive-ae"} == set(proofs.PROOFS)


def test_the_page_is_written_from_the_records(proofs):
    records = json.loads((ROOT / "docs" / "proof.json").read_text(encoding="utf-8"))
    page = importlib.import_module("proofs.page").page
    assert (ROOT / "docs" / "proof.md").read_text(encoding="utf-8") == page(records)
    assert set(records) <= set(proofs.PROOFS)


def test_a_claim_holds_by_its_median(proofs):
    claim = importlib.import_module("proofs.claim").Claim
    assert claim("x", [0.1, 0.2, 0.9], at_most=0.2).holds
    assert not claim("x", [0.1, 0.3, 0.9], at_most=0.2).holds
    assert claim("x", [2.0], at_least=2.0).record()["required"] == "≥ 2"
