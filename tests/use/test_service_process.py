"""The service as a process: large, slow and many requests, and signals."""

import http.client
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

import autoencode as ae
from autoencode.use.service.app import Service, create_app
from autoencode.use.service.guard import Guard
from autoencode.use.service.served import ModelStore
from autoencode.use.service.server import BoundedProtocol, listen

pytestmark = pytest.mark.long

NPY = {"Content-Type": "application/x-npy"}
SEND_MB = 150


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("process")
    images = np.random.default_rng(1).integers(0, 256, (40, 8, 8)).astype(np.uint8)
    np.save(folder / "images.npy", images)
    ae.fit("vae", folder / "images.npy", latent=2, steps=2, out=folder / "vae", progress=False)
    return folder / "vae"


class Process:
    """A running service.   address: host and port."""

    def __init__(self, run, *options, **environment):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "autoencode", "serve", str(run), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        line = self.popen.stdout.readline()
        found = re.match(r"http://([^/]+):(\d+)/", line)
        if found is None:
            self.popen.kill()
            pytest.fail(line + self.popen.communicate()[1])
        self.address = found[1].strip("[]"), int(found[2])

    def ask(self, method, path, body=None, headers=None, **options):
        """Status, headers and content of an answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.request(method, path, body, headers or {}, **options)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def embed(self, n=1, **options):
        return self.ask("POST", "/v1/models/vae/embed", npy(n), NPY, **options)[0]

    @contextmanager
    def socket(self, text):
        """A connection on which a part of a request was sent."""
        with socket.create_connection(self.address, timeout=40) as connection:
            connection.sendall(text.encode())
            yield connection

    @property
    def memory(self):
        """Resident memory, in MB; largest so far, and now."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return [
            int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1000 for name in ("VmHWM", "VmRSS")
        ]

    def stop(self, number=signal.SIGTERM, seconds=20):
        """The exit code, what was written to standard error, and the seconds until the end."""
        began = time.monotonic()
        self.popen.send_signal(number)
        _, errors = self.popen.communicate(timeout=seconds)
        return self.popen.returncode, errors, time.monotonic() - began


@pytest.fixture
def serve(run):
    """serve("--queue", "5") -> a running service."""
    started = []

    def start(*options, folder=run, **environment):
        started.append(Process(folder, *options, **environment))
        return started[-1]

    yield start
    for each in started:
        if each.popen.poll() is None:
            each.popen.kill()
            each.popen.communicate()


def npy(n):
    file = io.BytesIO()
    np.save(file, np.full((n, 8, 8), 100, np.uint8))
    return file.getvalue()


def sentence(content):
    found = json.loads(content)
    assert [*found] == ["error"]
    return found["error"]


@pytest.mark.parametrize(("path", "chunked"), [("embed", True), ("generate", False)])
def test_a_body_of_150_mb(serve, path, chunked):
    """It is refused, and the memory does not hold it."""
    service = serve()
    assert service.embed() == 200
    before = service.memory[0]
    block = b"x" * 1_000_000
    headers = NPY if chunked else {**NPY, "Content-Length": str(SEND_MB * len(block))}
    if path == "generate":
        headers = {**headers, "Content-Type": "application/json"}

    def blocks():
        for _ in range(SEND_MB):
            yield block

    try:
        answer = service.ask(
            "POST", f"/v1/models/vae/{path}", blocks(), headers, encode_chunked=chunked
        )
    except (BrokenPipeError, ConnectionResetError):
        answer = None  # the connection was closed while the body was being sent
    if answer is not None:
        assert answer[0] == 413
        assert "32,000,000 bytes" in sentence(answer[2])
    # Up to the limit of 32 MB is held, and twice that while the buffer grows.
    assert service.memory[0] - before < 80
    assert service.embed() == 200


def test_answers_do_not_wait_for_acknowledgements(serve):
    """Without TCP_NODELAY every answer takes 40 ms more."""
    service = serve()
    connection, times = http.client.HTTPConnection(*service.address, timeout=30), []
    for _ in range(50):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    assert sorted(times)[25] < 0.03


def test_a_declared_body_of_150_mb_is_refused_before_it_is_sent(serve):
    service = serve()
    head = "POST /v1/models/vae/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 150000000\r\n"
    began = time.monotonic()
    with service.socket(f"{head}Expect: 100-continue\r\n\r\n") as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_stalled_requests_end(serve):
    """Of the body, of the head, and none at all; others are answered meanwhile."""
    service = serve("--body-timeout", "1s")
    began = time.monotonic()
    body = "POST /v1/models/vae/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nxx"
    chunked = body.replace("Content-Length: 100", "Transfer-Encoding: chunked").replace(
        "xx", "2\r\nxx"
    )
    with (
        service.socket(body) as stalled,
        service.socket(chunked) as half,
        service.socket("GET /hea") as head,
        service.socket("") as silent,
    ):
        assert service.embed() == 200
        for each in (stalled, half):
            assert each.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 8
        for each in (head, silent):
            with suppress(ConnectionResetError):
                assert each.recv(4096) == b""
        assert time.monotonic() - began < 35
    assert service.stop()[0] == 143


@pytest.mark.slow
def test_a_stalled_body_does_not_keep_the_process(serve):
    service = serve("--grace", "2s", "--body-timeout", "60s")
    body = "POST /v1/models/vae/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nxx"
    with service.socket(body) as stalled:
        time.sleep(0.5)
        code, errors, seconds = service.stop()
        assert (code, seconds < 8) == (143, True)
        assert "Traceback" not in errors
        assert stalled.recv(4096).startswith(b"HTTP/1.1 503 ")


def test_a_burst_of_500(serve):
    service = serve("--queue", "20")
    with ThreadPoolExecutor(100) as pool:
        found = list(pool.map(lambda _: service.embed(), range(500)))
    assert set(found) <= {200, 503}
    assert found.count(200) >= 20
    assert service.embed() == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_accepted_request_is_answered_at_the_end(serve, number):
    service = serve("--batch-window", "300ms")
    found, stopping = [], threading.Event()

    def ask():
        while not stopping.is_set():
            with closing(http.client.HTTPConnection(*service.address, timeout=20)) as connection:
                try:
                    connection.connect()
                except OSError:
                    return  # no longer accepted
                try:
                    connection.request("POST", "/v1/models/vae/embed", npy(2), NPY)
                    found.append(connection.getresponse().status)
                except (OSError, http.client.HTTPException) as error:
                    found.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1.2)
    sent = len(found)
    # While 8 requests wait for others: their bodies have arrived.
    code, errors, seconds = service.stop(number)
    stopping.set()
    for thread in threads:
        thread.join()
    assert code == 128 + number
    assert "The service has stopped" in errors
    assert "Traceback" not in errors
    assert seconds < 8
    assert sent > 8
    # A connection that the system accepted and the process never saw may be reset.
    answered = [each for each in found if isinstance(each, int)]
    assert set(answered) == {200}
    assert len(found) - len(answered) <= 8
    assert found[sent : sent + 4].count(200) >= 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_sighup_loads_new_weights_and_keeps_old_ones_of_a_damaged_run(serve, run, tmp_path):
    folder = tmp_path / "vae"
    shutil.copytree(run, folder)
    service = serve(folder=folder)
    digest, found, stopping = _digest(service), [], threading.Event()

    def ask():
        while not stopping.is_set():
            found.append(service.embed())

    thread = threading.Thread(target=ask)
    thread.start()
    ae.fit(
        "vae", run.parent / "images.npy", latent=3, steps=2, out=tmp_path / "new", progress=False
    )
    for name in ("weights.safetensors", "run.json", "recipe.json"):
        shutil.copy(tmp_path / "new" / name, folder / name)
    service.popen.send_signal(signal.SIGHUP)
    assert _until(lambda: _digest(service) != digest)
    newer = _digest(service)
    codes = json.loads(service.ask("POST", "/v1/models/vae/embed", npy(1), NPY)[2])["codes"]
    assert np.shape(codes) == (1, 3)
    (folder / "weights.safetensors").write_bytes(b"damaged")
    service.popen.send_signal(signal.SIGHUP)
    failed = b'autoencode_reloads_total{model="vae",outcome="failed"} 1.0'
    assert _until(lambda: failed in service.ask("GET", "/metrics")[2])
    assert _digest(service) == newer
    stopping.set()
    thread.join()
    assert set(found) == {200}
    code, errors, _ = service.stop()
    assert code == 143
    assert "warning: vae was not loaded again, and is served as before" in errors


def _digest(service):
    return json.loads(service.ask("GET", "/v1/models/vae")[2])["weights_sha256"]


def _until(true, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_memory_is_flat(serve):
    service = serve()
    body = npy(16)
    connection = http.client.HTTPConnection(*service.address, timeout=30)
    paths = ["embed", "score", "reconstruct", "generate"]

    def ask(count):
        for i in range(count):
            path = paths[i % 4]
            given = (
                (b'{"n": 16}', {"Content-Type": "application/json"})
                if path == "generate"
                else (body if i % 5 else body[:200], NPY)
            )
            connection.request("POST", f"/v1/models/vae/{path}", *given)
            response = connection.getresponse()
            response.read()
            assert response.status in (200, 422)

    ask(500)
    before = service.memory[1]
    ask(2_000)
    connection.close()
    assert service.memory[1] - before < 15


def test_a_token_opens_other_addresses(serve):
    service = serve("--host", "0.0.0.0", AUTOENCODE_TOKEN="a-token-of-twenty-letters")
    service.address = ("127.0.0.1", service.address[1])
    assert service.ask("GET", "/v1/models")[0] == 401
    assert service.ask("GET", "/healthz")[0] == 200
    known = {"Authorization": "Bearer a-token-of-twenty-letters", "Host": "models.example"}
    assert service.ask("GET", "/v1/models", headers=known)[0] == 200


def test_garbage_that_is_no_http(serve):
    service = serve()
    for text in ("\x16\x03\x01\x02\x00\x01", "GET / HTTP/9.9\r\n\r\n", "x" * 200_000, "\r\n" * 50):
        with service.socket(text) as connection:
            connection.settimeout(3)
            try:
                found = connection.recv(100)
                assert found == b"" or found.startswith(b"HTTP/1.1 4")
            except (TimeoutError, ConnectionResetError):
                pass
    assert service.embed() == 200
    assert "Traceback" not in service.stop()[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_requests_of_the_page_work(serve, run, tmp_path):
    folder = tmp_path / "vae-mnist"
    shutil.copytree(run, folder)
    (tmp_path / "digits.npy").write_bytes(npy(3))
    Image.fromarray(np.full((8, 8), 100, np.uint8)).save(tmp_path / "digit.png")
    service = serve(folder=folder)
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("curl ")]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line.replace("localhost:8000", f"127.0.0.1:{service.address[1]}"))
        done = subprocess.run(
            [*words, "--fail", "--silent"], cwd=tmp_path, capture_output=True, timeout=30
        )
        assert done.returncode == 0, line
    with Image.open(tmp_path / "new.png") as image:
        assert image.size == (8, 8)


def test_a_reader_that_stops_is_disconnected(run, monkeypatch):
    """Its answer does not stay in memory; one that reads slowly gets all of it."""
    monkeypatch.setattr("autoencode.use.service.server.IDLE_SECONDS", 0.5)
    app = Guard(create_app(Service(ModelStore({"vae": run}))))
    listening = listen("127.0.0.1", 0)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    config = uvicorn.Config(app, http=BoundedProtocol, log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    body = b'{"n": 1000}'
    head = "POST /v1/models/vae/generate HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    clients = [socket.socket() for _ in range(2)]
    try:
        assert _until(lambda: server.started)
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(20)
            client.connect(listening.getsockname())
            client.sendall(head.encode() + body)
        slow, received = clients[1], b""
        while b"\r\n\r\n" not in received:
            received += slow.recv(1000)
        start, _, received = received.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", start)[1])
        assert length > 200_000
        while len(received) < length:
            received += slow.recv(length // 60)
            time.sleep(0.02)
        assert len(json.loads(received)["images"]) == 1000
        slow.close()
        assert _until(lambda: not server.server_state.connections, 5)
    finally:
        for client in clients:
            client.close()
        server.should_exit = server.force_exit = True
        thread.join()


def test_a_port_in_use(serve, run):
    port = str(serve().address[1])
    again = subprocess.run(
        [sys.executable, "-m", "autoencode", "serve", str(run), "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert again.returncode == 2
    assert "is not available" in again.stderr
    assert "Traceback" not in again.stderr


def test_the_description_holds_for_random_requests(run):
    """Requests that are made from the OpenAPI description, and from what it does not allow."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, settings
    from hypothesis import given as examples
    from starlette.testclient import TestClient

    app = create_app(Service(ModelStore({"vae": run})))
    with TestClient(app) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        seen = []

        def check(case):
            case.path_parameters = {**(case.path_parameters or {}), "name": "vae"}
            given = case.as_transport_kwargs(base_url="http://testserver")
            given = {k: v for k, v in given.items() if k in _ARGUMENTS and v is not None}
            if isinstance(given.get("data"), bytes | str):
                given["content"] = given.pop("data")
            response = client.request(**given)
            seen.append(response.status_code)
            assert response.status_code < 500, (given, response.text)
            if response.status_code >= 400:
                assert [*response.json()] == ["error"]

        for operation in schema.get_all_operations():
            strategy = operation.ok().as_strategy()
            few = settings(
                max_examples=15,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[*HealthCheck],
            )
            few(examples(case=strategy)(check))()
    assert len(seen) > 50
    assert 200 in seen
    assert 422 in seen


_ARGUMENTS = ("method", "url", "params", "headers", "json", "data", "files", "content")
