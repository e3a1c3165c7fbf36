"""Codes of 100,000 small PNG files: `autoencode embed` beside a DataLoader over Pillow.

    .venv/bin/python benchmarks/embedding.py [--n 100000]

Both encode the same files with the same model and write the codes with the names to a Parquet file,
each as a process of its own, in turns. The loader is that of PyTorch with two workers. Prints
seconds, images per second, the largest memory (of a process and its children) and the ratio.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from PIL import Image

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

LOADER = """
import sys
from pathlib import Path
import numpy as np, pyarrow, torch
from PIL import Image
from pyarrow import parquet
from torch.utils.data import DataLoader, Dataset
import autoencode as ae

class Files(Dataset):
    def __init__(self, folder):
        self.paths = sorted(Path(folder).rglob("*.png"))
    def __len__(self):
        return len(self.paths)
    def __getitem__(self, i):
        with Image.open(self.paths[i]) as image:
            return torch.from_numpy(np.array(image.convert("L"))).float() / 255

run, folder, out = sys.argv[1:]
files = Files(folder)
model = ae.load(run)
with torch.no_grad():
    z = torch.cat([model.encoder(x) for x in DataLoader(files, 512, num_workers=2)]).numpy()
columns = {"name": [str(p.relative_to(folder)) for p in files.paths]}
columns |= {f"z{i + 1}": z[:, i] for i in range(z.shape[1])}
parquet.write_table(pyarrow.table(columns), out)
"""


def write_files(folder: Path, n: int) -> None:
    """The images of MNIST as PNG files in ten folders, some of them several times."""
    import autoencode as ae

    x = ae.load_data("mnist").train.x.numpy()
    for i in range(10):
        (folder / str(i)).mkdir(parents=True)
    for i in range(n):
        Image.fromarray(x[i % len(x)]).save(folder / str(i % 10) / f"{i:06d}.png")


def timed(words: list[str]) -> tuple[float, float]:
    """Seconds, and the largest sum of the proportional memory of a process and its children."""
    began, most = time.perf_counter(), 0
    process = psutil.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            most = max(most, sum(each.memory_full_info().pss for each in family))
        except psutil.Error:
            pass
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{words[:4]} ended with {process.returncode}")
    return time.perf_counter() - began, most / 2**20


def start() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_files(root / "images", given.n)
        python = [sys.executable]
        command = [*python, "-m", "autoencode"]
        train = ["train", "vae", "--latent", "8", "--steps", "300", "--data", "mnist"]
        run, images = str(root / "run"), str(root / "images")
        subprocess.run([*command, *train, "--out", run, "--no-report"], check=True)
        ours = [*command, "embed", run, "--data", images, "--overwrite"]
        programs = {
            "autoencode embed": [*ours, "--out", str(root / "a.parquet")],
            "DataLoader": [*python, "-c", LOADER, run, images, str(root / "b.parquet")],
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for _ in range(given.repeats):
            for name, words in programs.items():
                found[name].append(timed(words))
        for name, values in found.items():
            seconds, memory = median(s for s, _ in values), max(m for _, m in values)
            print(
                f"{name}: {seconds:.1f} s, {given.n / seconds:,.0f} images/s, at most "
                f"{memory:,.0f} MiB"
            )
        ratio = median(
            b / a
            for (a, _), (b, _) in zip(found["autoencode embed"], found["DataLoader"], strict=True)
        )
        print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    start()
