"""Rows of the table held to their papers: `python benchmarks/papers.py ROW`.

Trains as the table says, measures on the test images, prints what was asked, what was published and
what was reached, and keeps it in docs/proof.json and docs/proof.md. Settings were chosen on
validation images. A training that was cut short goes on where it was; one that is done is not
repeated, unless its folder, runs/proof/ROW-…, is taken away.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as the command does, before torch is loaded

from machine import machine  # noqa: E402
from proofs import PROOFS  # noqa: E402
from proofs.claim import Claim  # noqa: E402
from proofs.page import page  # noqa: E402
from proofs.training import Workshop  # noqa: E402

ROOT = Path(__file__).parents[1]


def prove(row: str, shop: Workshop) -> dict[str, Any]:
    """What the proof of a row found, as docs/proof.json keeps it."""
    proof = PROOFS[row]
    shop.done.clear()
    began = time.perf_counter()
    found = list(proof.prove(shop))
    claims = [each.record() for each in found if isinstance(each, Claim)]
    return {
        "title": proof.title,
        "claims": claims,
        "notes": [each for each in found if isinstance(each, str)],
        "trainings": [
            {
                "command": f"{each.training.command()} --out {each.run.folder} --overwrite",
                "seconds": round(each.seconds),
            }
            for each in shop.done
        ],
        "measuring_seconds": round(time.perf_counter() - began),
        "seeds": max(len(each["reached"]) for each in claims),
        "machine": machine(),
    }


def main() -> int:
    """Proves the rows that are named and writes the page; 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(PROOFS)}")
    parser.add_argument("--seeds", type=int, default=5, help="trainings behind a median")
    parser.add_argument("--runs", type=Path, default=Path("runs/proof"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the page")
    trial = parser.add_argument_group("to try a proof out; its figures then mean nothing")
    trial.add_argument("--steps", type=int, help="of each training, at most")
    trial.add_argument("--images", type=int, help="and samples measured, at most")
    trial.add_argument("--data", default="mnist", help="what stands for MNIST")
    given = parser.parse_args()
    if unknown := [row for row in given.rows if row not in PROOFS]:
        parser.error(f"no proof of {', '.join(unknown)}; there are: {', '.join(PROOFS)}")
    shop = Workshop(given.runs, given.seeds, given.steps, given.images, given.data)
    kept, holds = given.out / "proof.json", True
    given.out.mkdir(parents=True, exist_ok=True)
    for row in given.rows or PROOFS:
        record = prove(row, shop)
        for claim in record["claims"]:
            holds &= claim["holds"]
            reached = ", ".join(f"{value:.4g}" for value in claim["reached"])
            print(
                f"{row}: {claim['what']}\n  asked {claim['asked']}"
                f"{', published ' + claim['published'] if claim['published'] else ''}, "
                f"reached {reached}: {'holds' if claim['holds'] else 'DOES NOT HOLD'}",
                flush=True,
            )
        for note in record["notes"]:
            print(f"  {note}")
        before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        found = {
            name: {**before, row: record}[name] for name in PROOFS if name in {**before, row: 0}
        }
        kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (given.out / "proof.md").write_text(page(found), encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
