"""Runs all studies on one data set and copies their pages: `python benchmarks/studies.py DATA`.

Each study is `autoencode study NAME --data DATA` in runs/studies/NAME-DATA; finished trainings are
not repeated. The pages, docs/studies/DATA-NAME.md, are the reports of the studies.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from autoencode.studies import STUDIES

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Runs the studies and copies their pages; returns 1 if one fails."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", nargs="?", default="mnist", help="a name or a path")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(STUDIES)}; default all")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "studies")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in STUDIES]:
        parser.error(f"there is no study {', '.join(unknown)}; there are: {', '.join(STUDIES)}")
    failed = []
    for name in arguments.names or STUDIES:
        stem = f"{Path(arguments.data).stem}-{name}"
        folder = Path("runs/studies") / f"{name}-{Path(arguments.data).stem}"
        start = time.perf_counter()
        command = [sys.executable, "-m", "autoencode", "study", name, "--data", arguments.data]
        done = subprocess.run([*command, "--out", str(folder)]).returncode == 0
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        if done:
            copy_page(folder, arguments.out, stem)
        else:
            failed.append(name)
    return 1 if failed else 0


def copy_page(folder: Path, out: Path, stem: str) -> None:
    """Copies the page and the figures of a study to the docs."""
    out.mkdir(parents=True, exist_ok=True)
    page = (folder / "study.md").read_text(encoding="utf-8")
    for figure in sorted((folder / "figures").iterdir()):
        shutil.copy(figure, out / f"{stem}-{figure.name}")
        page = page.replace(f"figures/{figure.name}", f"{stem}-{figure.name}")
    (out / f"{stem}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
