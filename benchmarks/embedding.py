"""Codes of 100,000 small PNG files: `autoencode embed` beside a DataLoader over Pillow.

    .venv/bin/python benchmarks/embedding.py [--n 100000]

Both encode the same files with the same model and write the codes with the names to a Parquet file,
each as a process of its own, in turns. The loader is that of PyTorch with two workers. Prints
seconds, images per second, the largest memory (of a process and its children) and the ratio. Both
also encode a fifth of the files: what the others take more is the rate without the start of Python
and PyTorch.
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
    for i in range(n):
        path = folder / str(i % 10) / f"{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i % len(x)]).save(path)


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
        sizes = {"all": given.n, "few": given.n // 5}
        for size, n in sizes.items():
            write_files(root / size, n)
        python = [sys.executable]
        command = [*python, "-m", "autoencode"]
        train = ["train", "vae", "--latent", "8", "--steps", "300", "--data", "mnist"]
        run = str(root / "run")
        subprocess.run([*command, *train, "--out", run, "--no-report"], check=True)
        ours = [*command, "embed", run, "--overwrite", "--out", str(root / "a.parquet"), "--data"]
        programs = {
            "autoencode embed": lambda images: [*ours, images],
            "DataLoader": lambda images: [*python, "-c", LOADER, run, images, str(root / "b")],
        }
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(given.repeats):
            for size in sizes:
                for name, program in programs.items():
                    outcome = timed(program(str(root / size)))
                    found.setdefault((name, size), []).append(outcome)
        seconds = {key: median(s for s, _ in values) for key, values in found.items()}
        rates = {}
        for name in programs:
            whole, few = seconds[name, "all"], seconds[name, "few"]
            rates[name] = (sizes["all"] - sizes["few"]) / (whole - few)
            memory = max(m for size in sizes for _, m in found[name, size])
            print(
                f"{name}: {whole:.1f} s, {given.n / whole:,.0f} images/s; without the start "
                f"{rates[name]:,.0f} images/s; at most {memory:,.0f} MiB"
            )
        whole = seconds["DataLoader", "all"] / seconds["autoencode embed", "all"]
        rate = rates["autoencode embed"] / rates["DataLoader"]
        print(f"ratio {whole:.2f}; without the start {rate:.2f}")


if __name__ == "__main__":
    start()
