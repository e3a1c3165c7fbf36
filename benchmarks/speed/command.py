"""The command: measures the sections, keeps their figures and writes the page."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from speed.bench import Bench, Pace
from speed.page import whole_page
from speed.sections import SECTIONS, growth

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
# Short spins, then sleep: as `autoencode.cli.process.prepare`, here for every process alike.
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"}


def main() -> None:
    """Times training and use beside other libraries; writes docs/benchmarks.json and .md."""
    parser = argparse.ArgumentParser(prog="python benchmarks/speed", description=main.__doc__)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section; repeat")
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count")
    parser.add_argument("--block", type=int, default=100, help="training steps of each in a round")
    parser.add_argument("--threads", type=int, default=2, help="of every process that computes")
    parser.add_argument("--peers", type=Path, default=PEERS, help="python that has the peers")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for the figures")
    parser.add_argument(
        "--quick", action="store_true", help="tiny, to try it; figures mean nothing"
    )
    parser.add_argument("--profile", action="store_true", help="print where a step's time goes")
    given = parser.parse_args()
    os.environ |= {name: os.environ.get(name, value) for name, value in WAITING.items()}
    os.environ["OMP_NUM_THREADS"] = str(given.threads)  # before torch is loaded, here and there
    if given.profile:
        from speed.profile import profile

        print(profile("off"), profile("auto"), sep="\n\n")
        return
    pace = Pace(1, 2, quick=True) if given.quick else Pace(given.rounds, given.block)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.only or SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(pace, given.peers.absolute(), Path(folder))
            record = {"about": bench.about(), **SECTIONS[name].measure(bench)}
        print(SECTIONS[name].page(record), flush=True)
        _keep(given.out, name, record)


def _keep(out: Path, name: str, record: dict[str, Any]) -> None:
    """Puts one section's figures beside those of the others, and writes the page anew."""
    file = out / "benchmarks.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    found = {key: {**before, name: record}[key] for key in SECTIONS if key in {**before, name: 0}}
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if name == "growth":
        growth.draw(record, out)
    (out / "benchmarks.md").write_text(whole_page(found), encoding="utf-8")
