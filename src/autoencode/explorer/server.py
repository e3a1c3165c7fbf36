"""Serves the explorer on this computer only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import torch

from autoencode.errors import AutoencodeError
from autoencode.models.build import Model
from autoencode.models.inference import decode

HOST = "127.0.0.1"
# The names that a browser may use for this computer.
HOSTS = (HOST, "localhost")
TEXT = "text/plain; charset=utf-8"
# A request holds one code.
MAX_REQUEST_BYTES = 2**20
# Errors that an invalid request can cause.
REQUEST_ERRORS = (AutoencodeError, ValueError, TypeError, KeyError, IndexError, RuntimeError)


class ExplorerServer(ThreadingHTTPServer):
    """Serves one page below a secret path, and decodes codes if the page cannot run a decoder.

    page: the HTML.   models: the models on the page, in its order.
    port: 0 takes any free port.

    Raises:
        AutoencodeError: the port is not available.
    """

    daemon_threads = True

    def __init__(self, page: str, models: Sequence[Model], port: int = 0) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise AutoencodeError(
                f"Port {port} is not available: {error}", "Choose another --port, or 0 for any."
            ) from error
        self.show(page, models)
        self.token = secrets.token_urlsafe(16)
        # One request at a time uses the models.
        self.models_lock = Lock()

    def show(self, page: str, models: Sequence[Model]) -> None:
        """Replace the page; an open page that watches its server reloads."""
        self.page, self.models = page.encode(), list(models)
        self.version = secrets.token_urlsafe(8)

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    server_version = "autoencode"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Send the page, or its version."""
        path = self._path()
        if path == "":
            self._send(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
        elif path == "version":
            self._send(HTTPStatus.OK, self.server.version.encode())
        else:
            self._send(HTTPStatus.NOT_FOUND, b"Not found.\n")

    def do_POST(self) -> None:
        """Send the decoded image of a code: float32, little-endian."""
        status, body, kind = HTTPStatus.NOT_FOUND, b"Not found.\n", TEXT
        if self._path() == "decode":
            try:
                body = self._decoded(self._request())
                status, kind = HTTPStatus.OK, "application/octet-stream"
            except REQUEST_ERRORS as error:
                status, body = HTTPStatus.BAD_REQUEST, f"{error}\n".encode()
        if status != HTTPStatus.OK:
            # A body that was not read would be taken for the next request.
            self.close_connection = True
        self._send(status, body, kind)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the terminal shows what the user needs to know."""

    def _path(self) -> str | None:
        """The path below the secret one; None for a request from elsewhere."""
        # A page of another site can send requests to this port, but under its own host name.
        if self.headers.get("Host") not in {f"{h}:{self.server.server_port}" for h in HOSTS}:
            return None
        token, slash, path = self.path.lstrip("/").partition("/")
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        return path.split("?")[0] if known and slash else None

    def _request(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MAX_REQUEST_BYTES:
            raise ValueError("A request needs a body of at most one megabyte")
        request = json.loads(self.rfile.read(length))
        if not isinstance(request, dict):
            raise ValueError("A request must be a JSON object")
        return request

    def _decoded(self, request: dict[str, Any]) -> bytes:
        model = self.server.models[int(request["model"])]
        z = torch.tensor(request["z"], dtype=torch.float32)
        if z.shape != (model.sizes.latent,):
            raise ValueError(f"A code of this model has {model.sizes.latent} numbers")
        context = torch.tensor([request["context"]]) if model.sizes.context else None
        with self.server.models_lock:
            image = decode(model, z[None], context)
        found: bytes = image.float().numpy().astype("<f4").tobytes()
        return found

    def _send(self, status: HTTPStatus, body: bytes, kind: str = TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
