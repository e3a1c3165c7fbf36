"""Times the explorer: `python benchmarks/explorer.py` writes pages and times them in Chromium.

The models are trained for few steps, because the times do not depend on their quality. Needs node,
Chromium and web/node_modules (`make web`).
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np

import autoencode as ae
from autoencode.data import Data, load_data
from autoencode.explorer.page import write_explorer
from autoencode.models.run import Run, open_run

ROOT = Path(__file__).parents[1]
STEPS = 300


def main() -> int:
    """Writes the pages and times them; returns the exit code of the timing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/explorer"), help="folder of the pages"
    )
    out = parser.parse_args().out
    mnist = load_data("mnist")
    many, large = _many(), _large()
    pages = {
        "ae-and-vae": ([_run(out, "ae", mnist), _run(out, "vae", mnist)], mnist, 5_000),
        "conv-ae": ([_run(out, "conv-ae", mnist)], mnist, 5_000),
        "60000-points": ([_run(out, "ae", many, "ae-many")], many, 60_000),
        "conv-64x64-colour": ([_run(out, "conv-vae", large, "conv-large")], large, 5_000),
    }
    for name, (runs, data, points) in pages.items():
        write_explorer(runs, out / f"{name}.html", points, data)
    files = [str((out / f"{name}.html").resolve()) for name in pages]
    return subprocess.run(["node", "bench/page.mjs", *files], cwd=ROOT / "web").returncode


def _run(out: Path, recipe: str, data: Data, name: str = "") -> Run:
    """A run with two latent dimensions; an existing run is used again."""
    folder = out / (name or recipe)
    if not (folder / "weights.safetensors").exists():
        ae.fit(recipe, data, latent=2, steps=STEPS, out=folder, overwrite=True)
    return open_run(folder)


def _many() -> Data:
    """60,000 test images with 8×8 pixels."""
    rng = np.random.default_rng(0)
    shapes = rng.random((10, 8, 8))
    labels = rng.integers(0, 10, 61_000)
    x = np.clip(shapes[labels] + rng.normal(0, 0.2, (61_000, 8, 8)), 0, 1).astype(np.float32)
    return load_data(((x[:1_000], labels[:1_000]), (x[1_000:], labels[1_000:])))


def _large() -> Data:
    """Colour images with 64×64 pixels."""
    x = np.random.default_rng(0).integers(0, 256, (600, 3, 64, 64), np.uint8)
    return load_data(x)


if __name__ == "__main__":
    raise SystemExit(main())
