"""Damaged requests to the real server of the explorer, in a process of its own, over a socket.

Each connection with bytes gets an answer, which is never an error of the server, and ends.
"""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st

pytestmark = pytest.mark.long

PROGRAM = """
import torch
from autoencode.contract import Sizes
from autoencode.explorer.server import ExplorerServer
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES

torch.set_num_threads(1)
models = [
    build(RECIPES[name].set("network.hidden", (8,)), Sizes((8, 8), (2,), n=100, context=context))
    for name, context in (("vae", 0), ("cvae", 3))
]
with ExplorerServer("<p>the page</p>", [model.eval() for model in models]) as server:
    print(server.address, flush=True)
    server.serve_forever()
"""
DECODE = [
    {"model": 0, "z": [0.5, -1.0], "context": None},
    {"model": 1, "z": [0.5, -1.0], "context": 2},
    {"model": 1, "z": [0, 1e3], "context": [0.5, 0, 1]},
]
HEADERS = (
    *("Transfer-Encoding: chunked", "Content-Length: 30", "Content-Length: 9" + "9" * 30),
    *("Expect: 100-continue", "Connection: close", "Host: evil.example", "X: " + "x" * 40_000),
    *("Upgrade: websocket", "Range: bytes=0-3", "Accept-Encoding: *", "Origin: null", "a b: c"),
)


class Served:
    """The server's process, its address and its path."""

    def __init__(self, process, address):
        self.process = process
        _, _, host, path = address.split("/", 3)
        self.to, self.path = ("127.0.0.1", int(host.split(":")[1])), f"/{path}"

    def get(self, *headers, path="", method="GET"):
        lines = [f"{method} {self.path}{path} HTTP/1.1", f"Host: localhost:{self.to[1]}", *headers]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()

    def post(self, body, *headers):
        length = f"Content-Length: {len(body)}"
        return self.get(length, *headers, path="decode", method="POST") + body

    def send(self, content):
        """The answers to the bytes, as (status, body)."""
        with socket.create_connection(self.to, timeout=8) as client:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: client.recv(2**16), b""))
        return answers(received)

    def memory(self):
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def answers(received):
    found = []
    while received:
        top, separator, rest = received.partition(b"\r\n\r\n")
        assert separator
        line, *headers = top.decode("ascii").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = dict(header.lower().split(": ", 1) for header in headers)
        if status == "100":
            received = rest
            continue
        length = int(fields["content-length"])
        # The answer to HEAD has no body.
        body = b"" if rest.startswith(b"HTTP/1.1") else rest[:length]
        received = rest[len(body) :]
        found.append((int(status), body))
    return found


def check(served, content):
    found = served.send(content)
    assert found or not content
    for status, body in found:
        assert status in (200, 400, 404, 405, 408, 411, 413, 414, 431, 505), body
        if status != 200 and body:
            (sentence,) = json.loads(body).values()
            assert sentence.endswith(".")
            assert "Traceback" not in sentence


@pytest.fixture(scope="module")
def served():
    words = [sys.executable, "-c", PROGRAM]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        server = Served(process, process.stdout.readline().strip())
        for content in (server.get(), server.post(json.dumps(DECODE[0]).encode())):
            for _ in range(50):
                assert [status for status, _ in server.send(content)] == [200]
        before = server.memory()
        yield server
        after = server.memory()
        process.terminate()
        _, err = process.communicate(timeout=10)
        assert err == ""
        assert after - before < 30


def test_damaged_bytes_of_requests(fuzz, served, damaged):
    bodies = [json.dumps(each).encode() for each in DECODE]
    whole = [served.get(), served.get(path="version"), *map(served.post, bodies)]
    requests = [*whole, whole[0] + whole[2], whole[1] * 3, served.get(method="HEAD")]
    strategy = st.one_of(
        st.sampled_from(requests).flatmap(damaged),
        st.lists(st.sampled_from(HEADERS), max_size=4).map(lambda more: served.get(*more)),
        st.lists(st.sampled_from(HEADERS), max_size=4).map(lambda more: served.post(b"{}", *more)),
        st.binary(max_size=200),
    )
    fuzz(strategy, lambda content: check(served, content))
    assert [status for status, _ in served.send(whole[0])] == [200]


def test_damaged_json_of_requests(fuzz, served, damaged_json, damaged):
    def check_body(body):
        ((status, answer),) = served.send(served.post(body))
        assert (status, len(answer)) == (200, 4 * 64) or (status == 400 and json.loads(answer))

    values = st.sampled_from(DECODE).flatmap(damaged_json)
    whole = values.map(lambda value: json.dumps(value, ensure_ascii=True).encode())
    fuzz(st.one_of(whole, whole.flatmap(damaged)), check_body)


def test_clients_that_leave_in_the_middle(fuzz, served):
    """After any number of bytes and with or without a reset; the next client is served."""
    content = served.post(json.dumps(DECODE[1]).encode()) + served.get()

    def leave(case):
        end, read, reset = case
        with socket.create_connection(served.to, timeout=8) as client:
            client.sendall(content[:end])
            if read and end == len(content):
                client.recv(read)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4))
        check(served, served.get())

    lengths = st.one_of(st.integers(0, len(content)), st.just(len(content)))
    fuzz(st.tuples(lengths, st.integers(0, 50), st.booleans()), leave)
