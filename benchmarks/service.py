"""Times the service against a plain handler: `python benchmarks/service.py`.

The plain handler is FastAPI's shortest: it reads an array and calls the model for each request.
Both run under uvicorn, one after the other in each round. The models are trained for few steps,
because the times do not depend on their quality.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import uvicorn
from fastapi import FastAPI, Request

import autoencode as ae
from autoencode.cli.process import prepare
from autoencode.use.service.server import BoundedProtocol, listen

RECIPES = ("vae", "conv-vae")
ROUNDS = 3


class Load(NamedTuple):
    """A kind of load: open connections, examples of each request in turn, and operations."""

    name: str
    connections: int
    sizes: tuple[int, ...]
    operations: tuple[str, ...]


LOADS = (
    Load("1 connection, 1 example", 1, (1,), ("embed",)),
    Load("32 connections, 1 example", 32, (1,), ("embed",)),
    Load("32 connections, mixed", 32, (1, 2, 16, 1), ("embed", "reconstruct", "score")),
)


def main() -> None:
    """Prints a table of requests per second and times, and the ratios."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/service"), help="folder of the runs")
    parser.add_argument("--requests", type=int, default=800, help="requests of one timing")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain is not None:
        plain(arguments.plain)
        return
    print("| model | load | service, requests/s | p99 | plain, requests/s | p99 | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for recipe in RECIPES:
        folder = arguments.out / recipe
        if not (folder / "weights.safetensors").exists():
            x = np.random.default_rng(0).integers(0, 256, (500, 28, 28)).astype(np.uint8)
            ae.fit(recipe, x, latent=16, steps=10, out=folder, overwrite=True, progress=False)
        serve = ["-m", "autoencode", "serve", str(folder), "--port", "0"]
        commands = {"service": serve, "plain": [__file__, "--plain", str(folder)]}
        with servers(commands) as ports:
            for load in LOADS:
                print(row(recipe, load, ports, arguments.requests), flush=True)


def row(recipe: str, load: Load, ports: dict[str, int], requests: int) -> str:
    """One row of the table: the medians of the rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            found[name].append(asyncio.run(timed(port, recipe, load, requests)))
    median = {
        name: [statistics.median(values) for values in zip(*rounds, strict=True)]
        for name, rounds in found.items()
    }
    (ours, ours_p99), (other, other_p99) = median["service"], median["plain"]
    return (
        f"| {recipe} | {load.name} | {ours:.0f} | {1e3 * ours_p99:.0f} ms | {other:.0f} | "
        f"{1e3 * other_p99:.0f} ms | {ours / other:.2f} |"
    )


async def timed(port: int, name: str, load: Load, requests: int) -> tuple[float, float]:
    """Requests per second, and the 99th percentile of their times."""
    waiting = iter(range(requests))
    times: list[float] = []
    bodies = {n: array(n) for n in load.sizes}

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in waiting:
            operation = load.operations[i % len(load.operations)]
            body = bodies[load.sizes[i % len(load.sizes)]]
            head = (
                f"POST /v1/models/{name}/{operation} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Content-Type: application/x-npy\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            length = next(
                int(line.split(b":")[1])
                for line in answer.splitlines()
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(load.connections)))
    seconds = time.perf_counter() - began
    return requests / seconds, float(np.percentile(times, 99))


def array(n: int) -> bytes:
    """An .npy file of n examples."""
    file = io.BytesIO()
    np.save(file, np.random.default_rng(n).integers(0, 256, (n, 28, 28)).astype(np.uint8))
    return file.getvalue()


@contextmanager
def servers(commands: dict[str, list[str]]) -> Iterator[dict[str, int]]:
    """Running servers, by name, and their ports, which each prints in its first line."""
    running = {
        name: subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        for name, words in commands.items()
    }
    try:
        lines = {name: process.stdout.readline() for name, process in running.items()}  # type: ignore[union-attr]  # piped
        yield {
            name: int(line.split("//")[1].split(":")[1].split("/")[0])
            for name, line in lines.items()
        }
    finally:
        for process in running.values():
            process.terminate()
            process.communicate()


def plain(folder: Path) -> None:
    """Serves a model with a handler that calls it for each request."""
    prepare()
    model, app = ae.load(folder), FastAPI()

    @app.post("/v1/models/{name}/{operation}")
    async def handle(operation: str, request: Request) -> dict[str, list[object]]:
        x = np.load(io.BytesIO(await request.body()), allow_pickle=False)
        if operation == "embed":
            return {"codes": ae.embed(model, x).tolist()}
        images = ae.reconstruct(model, x)
        if operation == "reconstruct":
            return {"images": (images * 255).round().int().tolist()}
        return {"scores": ((images.numpy() - x / 255) ** 2).sum((1, 2)).tolist()}

    listening = listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    # The same protocol, so that the times differ by the handlers alone.
    config = uvicorn.Config(app, http=BoundedProtocol, log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
