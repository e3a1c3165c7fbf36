"""How time grows with images, pixels and steps; data that are larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from speed.bench import Bench, Workload
from speed.figures import Target, at_least

FIGURE = "growth.png"
SIDE, BATCH = 28, 200
ROUNDS = 7
MEMORY, MAPPED = "in memory", "mapped"
KINDS = {MEMORY: "auto", MAPPED: "map"}
# So many images that hardly any part of the file is read twice in the measurement.
COLD = "one .npy file that is not in the system's file cache"


def measure(bench: Bench) -> dict[str, Any]:
    choose, growth = bench.size.choose, {}
    sizes = choose(4, 2)
    growth["images"] = [
        {"size": n, **_trained(bench, _noise(bench, n, SIDE), epochs=1)}
        for n in (choose(n, n // 50) for n in (20_000, 40_000, 80_000, 160_000)[:sizes])
    ]
    few = choose(8_000, 300)
    growth["pixels"] = [
        {"size": side * side, **_trained(bench, _noise(bench, few, side), epochs=choose(2, 1))}
        for side in (16, 32, 64, 128)[:sizes]
    ]
    source = _noise(bench, choose(20_000, 300), SIDE)
    growth["steps"] = [
        {"size": n, **_trained(bench, source, steps=n)}
        for n in (choose(n, n // 50) for n in (400, 800, 1_600, 3_200)[:sizes])
    ]
    larger = [
        {"source": name, **_larger(bench, source, name == COLD)}
        for name, source in (
            ("one .npy file", _noise(bench, choose(400_000, 2_000), SIDE)),
            (COLD, _noise(bench, choose(2_000_000, 3_000), SIDE)),
            ("a folder of PNG images", _folder(bench, choose(6_000, 60), 64)),
        )
    ]
    return {"growth": growth, "larger": larger}


def _trained(bench: Bench, source: Path, memory: str = MEMORY, **length: int) -> dict[str, Any]:
    cache = str(bench.folder / "cache")
    args = {"source": str(source), "cache": cache, "memory": KINDS[memory]}
    result: dict[str, Any] = bench.call("ours", "growth:trained", **args, **length)
    return result


def _larger(bench: Bench, source: Path, cold: bool) -> dict[str, Any]:
    """Speed and memory on the same data, in memory and mapped; writes the mapped files first."""
    steps = bench.size.choose(100, 2)
    written = _trained(bench, source, MAPPED, steps=1)
    separate = {name: _trained(bench, source, name, steps=steps) for name in KINDS}
    args = {"source": str(source), "cache": str(bench.folder / "cache")}
    rows = bench.time_in_turns(
        [
            Workload(
                name,
                "ours",
                "growth:training",
                {**args, "memory": memory, "cold": cold and name == MAPPED},
            )
            for name, memory in KINDS.items()
        ],
        rounds=min(ROUNDS, bench.size.rounds),
    )
    return {"written": written, "separate": separate, "rows": rows}


def _noise(bench: Bench, n: int, side: int) -> Path:
    """An .npy file of n grey images of uniform noise, with a fixed seed."""
    path = bench.folder / f"{n}-{side}.npy"
    if not path.exists():
        x = np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8)
        np.save(path, x)
    return path


def _folder(bench: Bench, n: int, side: int) -> Path:
    """A folder of n colour PNG files: enlarged coarse noise, which compresses like photographs."""
    folder, rng = bench.folder / "pictures", np.random.default_rng(0)
    folder.mkdir()
    for i in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{i:06d}.png")
    return folder


def slope(rows: list[dict[str, Any]]) -> float:
    """The slope of log(seconds) over log(size): 1 is linear."""
    size, seconds = (np.log(each) for each in zip(*_points(rows), strict=True))
    return float(np.polyfit(size, seconds, 1)[0])


def _points(rows: list[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """Size and seconds of each row, relative to the first row."""
    seconds = [row["load"] + row["train"] for row in rows]
    for row, each in zip(rows, seconds, strict=True):
        yield row["size"] / rows[0]["size"], each / seconds[0]


def draw(record: dict[str, Any], out: Path) -> Path:
    """Writes the figure: time over size, both relative to the smallest size."""
    from autoencode.report.charts.lines import Series, curves

    series = [
        Series(name, *map(list, zip(*_points(rows), strict=True)))
        for name, rows in record["growth"].items()
    ]
    largest = max(max(each.x) for each in series)
    series.append(Series("linear", [1.0, largest], [1.0, largest], dashed=True))
    figure = curves(
        series,
        x="size, relative to the smallest",
        y="seconds to load and to train, relative to the smallest",
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
        f"`ae` on uniform noise, bytes, batches of {BATCH}, each row in its own process. Rows for "
        "images and steps have 28×28 pixels; the rows for pixels have equal numbers of images. "
        "Memory is what loading and training need in addition to the libraries, without pages of "
        "files.",
        "",
        f"![Seconds over size on logarithmic axes, with a line of slope 1]({FIGURE})",
        "",
        "| | size | data, MB | s to load | s to train | MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, rows in record["growth"].items():
        lines += [
            f"| {name} | {row['size']:,} | {row['data']:,.0f} | {row['load']:.2f} "
            f"| {row['train']:.2f} | {row['private']:,.0f} |"
            for row in rows
        ]
    slopes = ", ".join(f"{name} {slope(rows):.2f}" for name, rows in record["growth"].items())
    lines += [
        "",
        f"Slopes on logarithmic axes (1 is linear): {slopes}.",
        "",
        "Data larger than half of the free memory are written to files in the cache folder, once, "
        "and memory-mapped. Both ways with the same data, training in turns:",
        "",
        "| | | images/s | relative to memory | s to load | MB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for each in record["larger"]:
        for row in each["rows"]:
            separate = each["separate"][row["name"]]
            lines.append(
                f"| {each['source']}, {separate['data']:,.0f} MB | {row['name']} "
                f"| {BATCH / _milliseconds(each, row['name']) * 1e3:,.0f} "
                f"| {_ratio(each, row['name']):.2f} | {separate['load']:.2f} "
                f"| {separate['private']:,.0f} |"
            )
    written = ", ".join(
        f"{each['source']} {each['written']['load']:.1f} s and {each['written']['private']:,.0f} MB"
        for each in record["larger"]
    )
    return "\n".join([*lines, "", f"Time and memory to write the files, once: {written}.", ""])


def _milliseconds(each: dict[str, Any], name: str) -> float:
    return median(next(row["ms"] for row in each["rows"] if row["name"] == name))


def _ratio(each: dict[str, Any], name: str) -> float:
    """The speed, relative to data in memory."""
    return _milliseconds(each, MEMORY) / _milliseconds(each, name)


def targets(record: dict[str, Any]) -> list[Target]:
    return [
        at_least(
            9,
            f"Speed with mapped data, relative to memory: {each['source']}",
            _ratio(each, MAPPED),
            0.8,
        )
        for each in record["larger"]
    ]
