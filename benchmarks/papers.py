"""Recipes compared with the results of their papers: `python benchmarks/papers.py ROW`.

Trains a recipe, measures it on the test images, prints the required, the published and the measured
values, and stores them in docs/proof.json and docs/proof.md. Settings were chosen on validation
images. An interrupted training is continued. A finished training is not repeated, unless its
folder, runs/proof/ROW-…, is deleted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

from machine import machine  # noqa: E402
from proofs import PROOFS  # noqa: E402
from proofs.claim import Claim  # noqa: E402
from proofs.page import page  # noqa: E402
from proofs.runner import ProofRunner  # noqa: E402

ROOT = Path(__file__).parents[1]


def prove(row: str, runner: ProofRunner) -> dict[str, Any]:
    """Runs the proof of a recipe; its record in docs/proof.json."""
    proof = PROOFS[row]
    runner.done.clear()
    start = time.perf_counter()
    results = list(proof.prove(runner))
    claims = [each.record() for each in results if isinstance(each, Claim)]
    return {
        "title": proof.title,
        "claims": claims,
        "notes": [each for each in results if isinstance(each, str)],
        "trainings": [
            {
                "command": f"{each.command.line()} --out {each.run.folder} --overwrite",
                "seconds": round(each.seconds),
            }
            for each in runner.done
        ],
        "measuring_seconds": round(time.perf_counter() - start),
        "seeds": max(len(each["measured"]) for each in claims),
        "machine": machine(),
    }


def main() -> int:
    """Runs the proofs of the given recipes and writes the page; 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"one of {', '.join(PROOFS)}")
    parser.add_argument("--seeds", type=int, default=5, help="trainings for a median")
    parser.add_argument("--runs", type=Path, default=Path("runs/proof"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the page")
    test = parser.add_argument_group("to test a proof; its results then mean nothing")
    test.add_argument("--steps", type=int, help="most steps of each training")
    test.add_argument("--images", type=int, help="most images and samples to measure")
    test.add_argument("--data", default="mnist", help="data that replace MNIST")
    arguments = parser.parse_args()
    if unknown := [row for row in arguments.rows if row not in PROOFS]:
        parser.error(f"there is no proof of {', '.join(unknown)}; there are: {', '.join(PROOFS)}")
    runner = ProofRunner(
        arguments.runs, arguments.seeds, arguments.steps, arguments.images, arguments.data
    )
    file, holds = arguments.out / "proof.json", True
    arguments.out.mkdir(parents=True, exist_ok=True)
    for row in arguments.rows or PROOFS:
        record = prove(row, runner)
        for claim in record["claims"]:
            holds &= claim["holds"]
            measured = ", ".join(f"{value:.4g}" for value in claim["measured"])
            print(
                f"{row}: {claim['what']}\n  required {claim['required']}"
                f"{', published ' + claim['published'] if claim['published'] else ''}, "
                f"measured {measured}: {'holds' if claim['holds'] else 'DOES NOT HOLD'}",
                flush=True,
            )
        for note in record["notes"]:
            print(f"  {note}")
        records = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        records[row] = record
        records = {name: records[name] for name in PROOFS if name in records}
        file.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (arguments.out / "proof.md").write_text(page(records), encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
