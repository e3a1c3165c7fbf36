"""The server as a process: flat memory, answers to every request of a burst, and its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

PROGRAM = """
import gc
import torch
from autoencode.contract import Sizes
from autoencode.explorer.server import ExplorerServer
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES

torch.set_num_threads(1)
model = build(RECIPES["vae"].set("network.hidden", (64,)), Sizes((28, 28), (2,), n=100), seed=0)
with ExplorerServer("<p>the page</p>" * 50_000, [model.eval()]) as server:
    print(server.address, flush=True)
    received = server.serve_forever()
gc.freeze()  # as the command does
raise SystemExit(128 + received)
"""
GOOD = b'{"model": 0, "z": [0.5, -1.0]}'
# What is answered, by the status of the answer.
BODIES = {GOOD: 200, b'{"model": 0, "z": [Infinity, 0]}': 400, b"[" * 5000: 400, b"9" * 400: 400}


class Server:
    """The running server, and its page: host, port and path."""

    def __init__(self, process):
        self.process = process
        self.address = process.stdout.readline().split()[-1]
        _, _, host, self.path = self.address.split("/", 3)
        self.path = f"/{self.path}"
        self.port = int(host.split(":")[1])

    def request(self, number):
        """A request as bytes, and the status of its answer; one of six kinds."""
        kind, host = number % 6, f"Host: localhost:{self.port}\r\n"
        if kind == 4:
            return f"GET {self.path} HTTP/1.1\r\n{host}\r\n".encode(), 200
        if kind == 5:
            return f"GET /other HTTP/1.1\r\n{host}\r\n".encode(), 404
        body, status = list(BODIES.items())[kind]
        head = f"POST {self.path}decode HTTP/1.1\r\n{host}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body, status

    def of_status(self, name):
        """A number in the record of the process, such as VmRSS in MiB, or Threads."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) / (1024 if line.endswith("kB") else 1)

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture
def start():
    """start(*words) -> a server that has printed its address; what still runs is killed."""
    started = []

    def made(*words, **options):
        words = words or ("-c", PROGRAM)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, *words], **pipes, **options)
        started.append(process)
        return Server(process)

    yield made
    for process in started:
        process.kill()
        process.communicate()


async def exchange(server, content, leaves=False):
    """The status of the answer to one request; None if the client leaves before it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(content)
        await writer.drain()
        if leaves:
            return None
        line = await reader.readline()
        length = 0
        while (header := await reader.readline()).strip():
            if header.lower().startswith(b"content-length"):
                length = int(header.split()[1])
        assert len(await reader.readexactly(length)) == length
        return int(line.split()[1])
    finally:
        writer.transport.abort()


async def burst(server, count):
    """As many requests at once; returns the statuses that differ from those expected."""
    cases = [server.request(number) for number in range(count)]
    async with asyncio.timeout(60):
        found = await asyncio.gather(*(exchange(server, content) for content, _ in cases))
    return [
        pair
        for pair in zip(found, (status for _, status in cases), strict=True)
        if pair[0] not in (pair[1], 503)
    ]


async def many(server, count):
    """As many requests, ten at a time; every seventh client leaves before the answer."""

    async def worker(first):
        for number in range(first, count, 10):
            content, status = server.request(number)
            leaves = number % 7 == 0
            assert await exchange(server, content, leaves) == (None if leaves else status)

    await asyncio.gather(*map(worker, range(10)))


def measure(server, stages):
    """The memory in MiB after each stage of (requests, burst)."""
    asyncio.run(many(server, 200))  # the first requests load code and fill caches
    found = [("start", server.of_status("VmRSS"))]
    for requests, at_once in stages:
        asyncio.run(many(server, requests))
        if at_once:
            assert asyncio.run(burst(server, at_once)) == []
        found.append((f"{requests:,} requests, burst of {at_once}", server.of_status("VmRSS")))
    print(", ".join(f"{name}: {value:.1f} MiB" for name, value in found))
    print(f"{server.of_status('Threads'):.0f} threads, {server.files()} open files")
    return [value for _, value in found]


def is_flat(server, memory):
    time.sleep(1.5)  # connections that linger
    assert memory[-1] - memory[0] < 10, memory
    assert server.of_status("Threads") <= 6
    assert server.files() < 20


def ends(server, number, code):
    started = time.monotonic()
    server.process.send_signal(number)
    out, err = server.process.communicate(timeout=10)
    assert time.monotonic() - started < 2
    assert server.process.returncode == code
    assert "Traceback" not in err
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", server.port))
    return out, err


@pytest.mark.long
def test_memory_is_flat_and_every_request_gets_an_answer(start):
    server = start()
    is_flat(server, measure(server, [(1_000, 200), (500, 500)]))
    assert ends(server, signal.SIGINT, 130) == ("", "")


@pytest.mark.slow
def test_memory_is_flat_over_ten_thousand_requests(start):
    server = start()
    stages = [(1_000, 0), (9_000, 0), (0, 500), (0, 500), (0, 500)]
    is_flat(server, measure(server, stages))
    assert ends(server, signal.SIGTERM, 143) == ("", "")


async def load(server, connections=150):
    """Requests without a pause, slow clients and idle ones, until the server has ended."""

    async def client(first):
        for number in range(first, first + 100_000):
            content, _ = server.request(number)
            try:
                if first % 3:
                    await exchange(server, content)
                    continue
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(content[: first % 40])
                await reader.read()
                writer.close()
            except ConnectionRefusedError:
                return
            except (ConnectionError, asyncio.IncompleteReadError, ValueError, IndexError):
                pass  # the server ends meanwhile

    async with asyncio.timeout(30):
        await asyncio.gather(*map(client, range(connections)))


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_server_under_load(start, number, code):
    server = start()
    clients = Thread(target=asyncio.run, args=[load(server)])
    clients.start()
    time.sleep(0.5)
    assert ends(server, number, code) == ("", "")
    clients.join(10)
    assert not clients.is_alive()
