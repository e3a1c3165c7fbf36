"""The server: local, at a secret address, and serving only the page."""

import json
from http.client import HTTPConnection
from threading import Thread

import numpy as np
import pytest
import torch

from autoencode.errors import AutoencodeError
from autoencode.explorer.server import ExplorerServer


@pytest.fixture
def model(make):
    return make("vae", x=(8, 8), **{"network.hidden": (16,)}).eval()


@pytest.fixture
def server(model):
    with ExplorerServer("<p>the page</p>", [model]) as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(5)
        assert not thread.is_alive()


def ask(server, method, path, body=None, **headers):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_listens_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/"
    assert len(server.token) >= 20


def test_serves_the_page_at_its_address(server):
    assert ask(server, "GET", f"/{server.token}/") == (200, b"<p>the page</p>")


@pytest.mark.parametrize("path", ["/", "/guess/", "/{}", "/{}/other", "/{}/../x", "//{}/", "/{}x/"])
def test_serves_nothing_else(server, path):
    path = path.format(server.token)
    status, body = ask(server, "GET", path)
    assert status == (200 if path == f"//{server.token}/" else 404)
    if status == 404:
        assert b"the page" not in body


def test_refuses_another_host(server):
    assert ask(server, "GET", f"/{server.token}/", Host="evil.example")[0] == 404


def test_decodes_a_code(server, model):
    z = [0.5, -1.0]
    body = json.dumps({"model": 0, "z": z, "context": None})
    status, image = ask(server, "POST", f"/{server.token}/decode", body)
    assert status == 200
    with torch.no_grad():
        expected = model.decoder(torch.tensor([z])).numpy()[0]
    assert np.allclose(np.frombuffer(image, "<f4").reshape(8, 8), expected, atol=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        '{"model": 0}',
        '{"model": 7, "z": [0, 0]}',
        '{"model": 0, "z": [0, 0, 0]}',
        '{"model": 0, "z": "abc"}',
    ],
)
def test_reports_an_invalid_request(server, body):
    status, answer = ask(server, "POST", f"/{server.token}/decode", body)
    assert status == 400
    assert answer.strip()
    # The server continues.
    assert ask(server, "GET", f"/{server.token}/")[0] == 200


def test_a_port_in_use_is_refused(server, model):
    with pytest.raises(AutoencodeError, match="is not available"):
        ExplorerServer("", [model], server.server_port)
