"""The command: measures the sections, stores their results as JSON, and writes the page."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speed.bench import Bench, BenchmarkSize
from speed.page import page
from speed.sections import SECTIONS, growth

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
# Waiting threads spin briefly, then sleep; as in `autoencode.cli.process`, for all processes.
THREAD_SETTINGS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"}


def main(words: Sequence[str] | None = None) -> None:
    """Times training and inference, also of other libraries; writes benchmarks.json and .md."""
    parser = argparse.ArgumentParser(prog="python benchmarks/speed", description=main.__doc__)
    parser.add_argument(
        "--only", choices=SECTIONS, action="append", help="only this section; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=9, help="rounds that are measured")
    parser.add_argument("--block", type=int, default=100, help="training steps in a round")
    parser.add_argument("--threads", type=int, default=2, help="threads of each process")
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python with the other libraries")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the results")
    parser.add_argument("--mnist", default="mnist", metavar="DATA", help="where MNIST is read")
    parser.add_argument(
        "--colour", metavar="DATA", help="colour images that a GPU trains on; none by default"
    )
    parser.add_argument(
        "--quick", action="store_true", help="test the benchmark; the results mean nothing"
    )
    parser.add_argument("--profile", action="store_true", help="print the time of each operator")
    arguments = parser.parse_args(words)
    os.environ |= {name: os.environ.get(name, value) for name, value in THREAD_SETTINGS.items()}
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before torch is imported
    if arguments.profile:
        from speed.profile import profile

        print(profile("off"), profile("auto"), sep="\n\n")
        return
    size = BenchmarkSize(arguments.rounds, arguments.block)
    if arguments.quick:
        size = BenchmarkSize(rounds=1, block=2, quick=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or SECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            sources = (arguments.mnist, arguments.colour)
            bench = Bench(size, arguments.peers.absolute(), Path(folder), *sources)
            record = {"conditions": bench.conditions(), **SECTIONS[name].measure(bench)}
        print(SECTIONS[name].page(record), flush=True)
        _store(arguments.out, name, record)


def _store(out: Path, name: str, record: dict[str, Any]) -> None:
    """Stores the results of one section, and writes the page of all sections."""
    file = out / "benchmarks.json"
    records = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    records[name] = record
    records = {key: records[key] for key in SECTIONS if key in records}
    file.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if name == "growth":
        growth.draw(record, out)
    (out / "benchmarks.md").write_text(page(records), encoding="utf-8")
