"""The server: local, at a secret address, serving only the page, and answering every request."""

import json
import socket
import time
from http.client import HTTPConnection
from threading import Thread

import numpy as np
import pytest
import torch

from autoencode.errors import AutoencodeError
from autoencode.explorer import server as module
from autoencode.explorer.requests import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS
from autoencode.explorer.server import ExplorerServer

PAGE = "<p>the page</p>"


@pytest.fixture
def model(make):
    return make("vae", x=(8, 8), **{"network.hidden": (16,)}).eval()


@pytest.fixture
def serve(monkeypatch):
    """serve(page, models) -> a server in a thread; the end of the test stops it."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    started = []

    def made(page, models):
        server = ExplorerServer(page, models)
        thread = Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server

    yield made
    for server, thread in started:
        with server:
            server.shutdown()
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def server(serve, model):
    return serve(PAGE, [model])


def ask(server, method, path, body=None, **headers):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def decode(server, **request):
    return ask(server, "POST", f"/{server.token}/decode", json.dumps(request))


def send(server, content, ends=True):
    """All that the server answers to raw bytes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as client:
        client.sendall(content)
        if ends:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(2**16), b""))


def head(server, first, *headers, host="localhost"):
    """Raw bytes of a request without a body; {} in its first line is the path of the page."""
    first = first.replace("{}", f"/{server.token}/")
    lines = [first, *([f"Host: {host}"] if host else []), *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def refusal(answer):
    """The status of one complete answer that is an error with a sentence."""
    top, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in top
    assert b"Connection: close" in top
    (sentence,) = json.loads(body).values()
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    return int(top.split()[1])


def test_listens_on_loopback_only(server):
    assert server._socket.getsockname() == ("127.0.0.1", server.server_port)
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/"
    assert len(server.token) >= 20


def test_serves_the_page_at_its_address(server):
    assert ask(server, "GET", f"/{server.token}/") == (200, PAGE.encode())


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/guess/", "/{}", "/{}/other", "/{}/../x", "/{}/..%2f..%2fetc/passwd", "/{}x/", "*"),
        *("//{}/", "/{}/?x=1", "/%2e%2e/{}/", "/../{}/", "/{}/%00", "/{}/decode/", "http://{}/"),
    ],
)
def test_serves_nothing_else(server, path):
    answer = send(server, head(server, f"GET {path.format(server.token)} HTTP/1.1"))
    if path in ("//{}/", "/{}/?x=1"):
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    else:
        assert refusal(answer) == 404


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LocalHost", "localhost:8888"])
def test_answers_to_the_names_of_this_computer(server, host):
    host = host.format(server.server_port)
    assert ask(server, "GET", f"/{server.token}/", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:{}", "127.0.0.1.evil.example:{}", "localhost.evil.example"),
        *("", "0.0.0.0:{}", "localhost@evil.example", "127.0.0.1:{}, evil.example", "[::1]:{}"),
    ],
)
def test_refuses_another_host(server, host):
    """A name that points here may be that of another site (DNS rebinding)."""
    host = host.format(server.server_port)
    assert refusal(send(server, head(server, "GET {} HTTP/1.1", f"Host: {host}", host=None))) == 404


@pytest.mark.parametrize("path", ["", "version"])
def test_head_is_get_without_the_body(server, path):
    path = f"{{}}{path}"
    whole = send(server, head(server, f"GET {path} HTTP/1.1"))
    top, _, body = whole.partition(b"\r\n\r\n")
    assert body
    assert send(server, head(server, f"HEAD {path} HTTP/1.1")) == top + b"\r\n\r\n"


def test_head_of_nothing_has_no_body(server):
    answer = send(server, head(server, "HEAD {}other HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, "", "GET, HEAD, POST") for method in ("PUT", "DELETE", "OPTIONS", "get", "X-1")),
        *((method, "decode", "GET, HEAD, POST") for method in ("TRACE", "CONNECT", "PATCH")),
        *((method, "decode", "POST") for method in ("GET", "HEAD")),
        *(("POST", path, "GET, HEAD") for path in ("", "version")),
    ],
)
def test_other_methods_are_not_allowed(server, method, path, allowed):
    answer = send(server, head(server, f"{method} {{}}{path} HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert f"\r\nAllow: {allowed}\r\n".encode() in answer


def test_decodes_a_code(server, model):
    z = [0.5, -1.0]
    status, image = decode(server, model=0, z=z, context=None)
    assert status == 200
    with torch.no_grad():
        expected = model.decoder(torch.tensor([z])).numpy()[0]
    assert np.allclose(np.frombuffer(image, "<f4").reshape(8, 8), expected, atol=1e-6)


def test_decodes_a_code_of_a_class(serve, make_conditional):
    served = make_conditional()
    server = serve(PAGE, [served])
    images = [decode(server, model=0, z=[0, 0], context=label) for label in (0, 1, -1)]
    assert {status for status, _ in images} == {200}
    assert len({image for _, image in images}) == 3
    features = [0.0] * served.sizes.context
    assert decode(server, model=0, z=[0, 0], context=features) == images[2]
    for wrong in (None, 10, 2**70, -(2**70), 1.5, "1", True, [1, 0], [1e400] * 10, [*features, 0]):
        status, answer = decode(server, model=0, z=[0, 0], context=wrong)
        assert status == 400, wrong
        assert json.loads(answer)["error"].endswith(".")


@pytest.fixture
def make_conditional():
    from autoencode.contract import Sizes
    from autoencode.models.build import build
    from autoencode.models.recipes.table import RECIPES

    def made():
        recipe = RECIPES["cvae"].but(latent=2).set("network.hidden", (16,))
        return build(recipe, Sizes((8, 8), (2,), n=100, context=10), seed=0).eval()

    return made


@pytest.mark.parametrize(
    "body",
    [
        *("no json", "[]", "null", "3", '"text"', '{"model": 0}', '{"model": 0, "z": {}}', "{" * 9),
        *(
            '{"model": ' + n + ', "z": [0, 0]}'
            for n in ("7", "-1", "true", "0.0", "NaN", "1" * 400)
        ),
        *('{"model": 0, "z": ' + z + "}" for z in ("[0, 0, 0]", '"ab"', "[[0, 0]]", "null", "[]")),
        *('{"model": 0, "z": [0, ' + z + "]}" for z in ("NaN", "Infinity", "-Infinity", "1e999")),
        *('{"model": 0, "z": [0, ' + z + "]}" for z in ("1e39", "9" * 400, "9" * 9000, "true")),
        *('{"model": 0, "z": [0, ' + z + "]}" for z in ("null", '"1"', "[]", "{}", "0x1", "")),
        *("[" * 200_000, '{"a":' * 100_000, '{"model": 0, "z": [0, ' + "[" * 200_000),
        *(b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b"\x00" * 100, '{"model": 0, "z": [0, 0]} {}'),
    ],
    ids=lambda body: str(body[:40]),
)
def test_a_wrong_code_is_refused(server, body):
    status, answer = ask(server, "POST", f"/{server.token}/decode", body)
    assert status == 400
    assert json.loads(answer)["error"].endswith(".")
    # The server continues.
    assert decode(server, model=0, z=[0, 0])[0] == 200


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([], b"", 411),
        (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n", 411),
        (["Transfer-Encoding: chunked", "Content-Length: 2"], b"{}", 411),
        (["Content-Length: 0"], b"", 400),
        (["Content-Length: 9"], b"{}", 400),
        (["Content-Length: -1"], b"{}", 400),
        (["Content-Length: 2", "Content-Length: 3"], b"{}", 400),
        (["Content-Length: +2"], b"{}", 400),
        (["Content-Length: \xb2"], b"{}", 400),
        (["Content-Length: 1e1"], b"{}", 400),
        (["Content-Length: " + "9" * 5000], b"{}", 413),
        ([f"Content-Length: {MAX_BODY_BYTES + 1}"], b"{" * (MAX_BODY_BYTES + 1), 413),
        (["Content-Length: 99999999"], b"{" * 10_000_000, 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_without_a_proper_length_is_refused(server, headers, body, status):
    content = head(server, "POST {}decode HTTP/1.1", *headers) + body
    assert refusal(send(server, content)) == status


def test_a_body_may_wait_for_permission(server):
    body = b'{"model": 0, "z": [0, 0]}'
    headers = ("Expect: 100-continue", f"Content-Length: {len(body)}")
    answer = send(server, head(server, "POST {}decode HTTP/1.1", *headers) + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        *((line, 400) for line in (b"\r\n\r\n", b"\n", b"\x00" * 50, b"GET", b"GET /", b"a b c d")),
        *((line + b"\r\n\r\n", 400) for line in (b"GET /", b"GET  / HTTP/1.1", b"\xff HTTP/1.1")),
        *((b"GET / HTTP/1.1\r\n" + h, 400) for h in (b"Host", b"Host: x\r\n", b"a\r\n\r\n")),
        *((b"GET / HTTP/1.1\r\n" + h + b"\r\n\r\n", 400) for h in (b": x", b" a: b", b"a: \x00")),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400),  # TLS
        (b"GET /\xe9 HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n\r\n", 414),
        (b"a" * 5_000_000, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * (MAX_HEADERS + 1) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 500_000, 431),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_not_a_request_is_answered(server, content, status):
    assert refusal(send(server, content)) == status


def test_lines_may_end_without_a_carriage_return(server):
    content = head(server, "GET {} HTTP/1.1").replace(b"\r\n", b"\n")
    assert send(server, content).endswith(PAGE.encode())


def test_a_connection_serves_several_requests(server):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    for _ in range(3):
        connection.request("GET", f"/{server.token}/version")
        client = connection.sock
        assert connection.getresponse().read() == server.version.encode()
        assert connection.sock is client
    connection.close()
    one = head(server, "GET {} HTTP/1.1")
    assert send(server, 5 * one).count(PAGE.encode()) == 5  # pipelined
    for last in (head(server, "GET {} HTTP/1.1", "Connection: close"), one.replace(b"1.1", b"1.0")):
        assert send(server, last + one, ends=False).count(PAGE.encode()) == 1


def test_a_body_that_was_not_read_is_no_request(server):
    hidden = head(server, "GET {} HTTP/1.1")
    for extra in (f"Content-Length: {len(hidden)}", "Transfer-Encoding: chunked"):
        content = head(server, "GET {}version HTTP/1.1", extra) + hidden
        assert PAGE.encode() not in send(server, content, ends=False)


@pytest.mark.parametrize("part", [1, 8, 30, 0.5, -1, -2])
@pytest.mark.parametrize("kind", ["GET", "POST"])
def test_a_slow_request_is_ended(server, monkeypatch, part, kind):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.1)
    content = head(server, "GET {} HTTP/1.1")
    if kind == "POST":
        content = head(server, "POST {}decode HTTP/1.1", "Content-Length: 30") + b" " * 30
    part = int(part * len(content)) if 0 < part < 1 else part
    started = time.monotonic()
    assert refusal(send(server, content[:part], ends=False)) == 408
    assert time.monotonic() - started < 2


def test_a_request_that_comes_byte_by_byte_is_ended(server, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)
    content = head(server, "GET {} HTTP/1.1")
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as client:
        for k in range(6):
            client.sendall(content[k : k + 1])
            time.sleep(0.05)
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_requests_is_closed(server, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.1)
    assert send(server, b"", ends=False) == b""
    assert send(server, head(server, "GET {} HTTP/1.1"), ends=False).endswith(PAGE.encode())


def test_a_reader_that_does_not_read_is_disconnected(serve, model, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(module, "MIN_BYTES_PER_SECOND", 2**27)
    server = serve("x" * 2**26, [model])
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as client:
        client.sendall(head(server, "GET {} HTTP/1.1"))
        deadline = time.monotonic() + 5
        while not server._connections and time.monotonic() < deadline:
            time.sleep(0.01)
        while server._connections:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_large_page_arrives_complete(serve, model):
    page = "0123456789" * 2_000_003
    server = serve(page, [model])
    assert ask(server, "GET", f"/{server.token}/")[1] == page.encode()


def test_clients_that_leave_are_no_fault(serve, model, capfd):
    """At any point, with and without a reset of the connection."""
    server = serve("x" * 3_000_000, [model])
    body = b'{"model": 0, "z": [0, 0]}'
    post = head(server, "POST {}decode HTTP/1.1", f"Content-Length: {len(body)}") + body
    requests = [post, head(server, "GET {} HTTP/1.1"), b"\x00\n", head(server, "X {} HTTP/1.1")]
    for content in requests:
        for part in (0, 1, len(content) // 2, len(content) - 1, len(content)):
            for read in (0, 100):
                for reset in (False, True):
                    client = socket.create_connection(("127.0.0.1", server.server_port), 5)
                    client.sendall(content[:part])
                    if read and part == len(content):
                        client.recv(read)
                    if reset:
                        linger = (1).to_bytes(4, "little") + bytes(4)
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    client.close()
    assert decode(server, model=0, z=[0, 0])[0] == 200
    assert capfd.readouterr() == ("", "")


def test_more_connections_than_allowed_are_told_so(server, monkeypatch):
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    address = ("127.0.0.1", server.server_port)
    held = [socket.create_connection(address, timeout=5) for _ in range(3)]
    deadline = time.monotonic() + 5
    while server._connections < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    content = head(server, "GET {} HTTP/1.1")
    for _ in range(5):
        assert refusal(send(server, content)) == 503
    held.pop().close()
    while server._connections == 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert send(server, content).endswith(PAGE.encode())
    for client in held:  # those that were there first are served
        client.sendall(content)
        assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")
        client.close()


def test_an_error_of_the_model_does_not_end_the_server(server, monkeypatch):
    def fails(*_):
        raise MemoryError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(module, "decode", fails)
        status, answer = decode(server, model=0, z=[0, 0])
    assert (status, json.loads(answer)) == (500, {"error": "The request failed: no memory"})
    assert decode(server, model=0, z=[0, 0])[0] == 200


def test_stops_while_clients_are_connected(serve, model):
    server = serve("x" * 2**26, [model])
    address = ("127.0.0.1", server.server_port)
    clients = [socket.create_connection(address, timeout=5) for _ in range(20)]
    for client in clients:
        client.sendall(head(server, "GET {} HTTP/1.1")[: None if client is clients[0] else 9])
    started = time.monotonic()
    server.shutdown()
    for client in clients:
        with client:
            try:
                while client.recv(2**20):
                    pass
            except ConnectionResetError:
                pass
    assert time.monotonic() - started < 2


def test_a_port_in_use_is_refused(server, model):
    with pytest.raises(AutoencodeError, match="is not available"):
        ExplorerServer("", [model], server.server_port)
