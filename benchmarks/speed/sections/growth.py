"""How cost grows with images, pixels and steps; and data that are larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from speed.bench import Bench, Candidate
from speed.figures import Claim, at_least

FIGURE = "growth.png"
SIDE, BATCH = 28, 200
ROUNDS = 7
MEMORY, MAPPED = "in memory", "mapped"
KINDS = {MEMORY: "auto", MAPPED: "map"}
# Of so many images that hardly any part of the file is looked at twice in the measurement.
COLD = "one .npy file that the system's cache does not hold"


def measure(bench: Bench) -> dict[str, Any]:
    of, growth = bench.pace.of, {}
    sizes = of(4, 2)
    growth["images"] = [
        {"size": n, **_trained(bench, _noise(bench, n, SIDE), epochs=1)}
        for n in (of(n, n // 50) for n in (20_000, 40_000, 80_000, 160_000)[:sizes])
    ]
    few = of(8_000, 300)
    growth["pixels"] = [
        {"size": side * side, **_trained(bench, _noise(bench, few, side), epochs=of(2, 1))}
        for side in (16, 32, 64, 128)[:sizes]
    ]
    source = _noise(bench, of(20_000, 300), SIDE)
    growth["steps"] = [
        {"size": n, **_trained(bench, source, steps=n)}
        for n in (of(n, n // 50) for n in (400, 800, 1_600, 3_200)[:sizes])
    ]
    larger = [
        {"source": what, **_larger(bench, source, what == COLD)}
        for what, source in (
            ("one .npy file", _noise(bench, of(400_000, 2_000), SIDE)),
            (COLD, _noise(bench, of(2_000_000, 3_000), SIDE)),
            ("a folder of PNG images", _folder(bench, of(6_000, 60), 64)),
        )
    ]
    return {"growth": growth, "larger": larger}


def _trained(bench: Bench, source: Path, memory: str = MEMORY, **length: int) -> dict[str, Any]:
    cache = str(bench.folder / "cache")
    given = {"source": str(source), "cache": cache, "memory": KINDS[memory]}
    found: dict[str, Any] = bench.call("ours", "growth:trained", **given, **length)
    return found


def _larger(bench: Bench, source: Path, cold: bool) -> dict[str, Any]:
    """Speed and memory on the same data, in memory and mapped; the files are made first."""
    steps = bench.pace.of(100, 2)
    made = _trained(bench, source, MAPPED, steps=1)
    alone = {name: _trained(bench, source, name, steps=steps) for name in KINDS}
    given = {"source": str(source), "cache": str(bench.folder / "cache")}
    rows = bench.race(
        [
            Candidate(
                name,
                "ours",
                "growth:training",
                {**given, "memory": memory, "cold": cold and name == MAPPED},
            )
            for name, memory in KINDS.items()
        ],
        rounds=min(ROUNDS, bench.pace.rounds),
    )
    return {"made": made, "alone": alone, "rows": rows}


def _noise(bench: Bench, n: int, side: int) -> Path:
    """An .npy file of n grey images of uniform noise, from a seed."""
    path = bench.folder / f"{n}-{side}.npy"
    if not path.exists():
        x = np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8)
        np.save(path, x)
    return path


def _folder(bench: Bench, n: int, side: int) -> Path:
    """A folder of n PNG files in colour: coarse noise made larger, as photographs compress."""
    folder, draw = bench.folder / "pictures", np.random.default_rng(0)
    folder.mkdir()
    for i in range(n):
        coarse = Image.fromarray(draw.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{i:06d}.png")
    return folder


def slope(rows: list[dict[str, Any]]) -> float:
    """Of seconds over size, both as logarithms: 1 is linear, less is cheaper."""
    size, took = (np.log(each) for each in zip(*_points(rows), strict=True))
    return float(np.polyfit(size, took, 1)[0])


def _points(rows: list[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """Size and seconds, in those of the first."""
    seconds = [row["load"] + row["train"] for row in rows]
    for row, took in zip(rows, seconds, strict=True):
        yield row["size"] / rows[0]["size"], took / seconds[0]


def draw(record: dict[str, Any], out: Path) -> Path:
    """Writes the figure into a folder: cost over size, both in those of the smallest."""
    from autoencode.report.charts.lines import Series, curves

    series = [
        Series(name, *map(list, zip(*_points(rows), strict=True)))
        for name, rows in record["growth"].items()
    ]
    reach = max(max(each.x) for each in series)
    series.append(Series("linear", [1.0, reach], [1.0, reach], dashed=True))
    figure = curves(
        series,
        x="size, in that of the smallest",
        y="seconds to load and to train, in those of the smallest",
        log_x=True,
        log_y=True,
    )
    path = out / FIGURE
    figure.savefig(path)
    return path


def page(record: dict[str, Any]) -> str:
    lines = [
        "## Growth, and data larger than memory",
        "",
        f"`ae` on uniform noise, bytes, batches of {BATCH}; each row in a process of its own. "
        "Images and steps at 28×28, pixels with as many images for each size. Memory is what "
        "loading and training take above the libraries, the process's own without pages of files.",
        "",
        f"![Seconds over size, on logarithmic axes beside a line of slope 1]({FIGURE})",
        "",
        "| | size | data, MB | s to load | s to train | MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, rows in record["growth"].items():
        lines += [
            f"| {name} | {row['size']:,} | {row['data']:,.0f} | {row['load']:.2f} "
            f"| {row['train']:.2f} | {row['own']:,.0f} |"
            for row in rows
        ]
    slopes = ", ".join(f"{name} {slope(rows):.2f}" for name, rows in record["growth"].items())
    lines += [
        "",
        f"Slopes of the logarithms, 1 where cost is linear: {slopes}.",
        "",
        "Data that half of the free memory does not hold are brought into files in the cache "
        "folder, once, and mapped. The same data both ways, training in turns:",
        "",
        "| | | images/s | in those of memory | s to load | MB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for each in record["larger"]:
        for row in each["rows"]:
            alone = each["alone"][row["name"]]
            lines.append(
                f"| {each['source']}, {alone['data']:,.0f} MB | {row['name']} "
                f"| {BATCH / _milliseconds(each, row['name']) * 1e3:,.0f} "
                f"| {_ratio(each, row['name']):.2f} | {alone['load']:.2f} | {alone['own']:,.0f} |"
            )
    made = ", ".join(
        f"{each['source']} {each['made']['load']:.1f} s and {each['made']['own']:,.0f} MB"
        for each in record["larger"]
    )
    return "\n".join([*lines, "", f"Making the files took, once: {made}.", ""])


def _milliseconds(each: dict[str, Any], name: str) -> float:
    return median(next(row["ms"] for row in each["rows"] if row["name"] == name))


def _ratio(each: dict[str, Any], name: str) -> float:
    """How fast, in the speed of memory."""
    return _milliseconds(each, MEMORY) / _milliseconds(each, name)


def claims(record: dict[str, Any]) -> list[Claim]:
    return [
        at_least(
            9,
            f"Mapped data, {each['source']}: speed in that of memory",
            _ratio(each, MAPPED),
            0.8,
        )
        for each in record["larger"]
    ]
