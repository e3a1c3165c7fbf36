"""The explorer on loopback: one page, for whoever knows its address."""

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
# Bytes of a request: codes are short.
MOST_BYTES = 2**20
# What a request of the wrong shape ends in.
MISTAKES = (AutoencodeError, ValueError, TypeError, KeyError, IndexError, RuntimeError)


class ExplorerServer(ThreadingHTTPServer):
    """Serves one page below a path that nobody guesses, and decodes what the page cannot.

    page: the HTML.    models: those on the page, in its order.
    port: 0 takes any that is free.

    Raises:
        AutoencodeError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, page: str, models: Sequence[Model], port: int = 0) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise AutoencodeError(
                f"Port {port} cannot be listened on: {error}", "Take another --port, or 0 for any."
            ) from error
        self.show(page, models)
        self.token = secrets.token_urlsafe(16)
        # Models are no place for two threads at once.
        self.turn = Lock()

    def show(self, page: str, models: Sequence[Model]) -> None:
        """Serves another page from now on; the one before asks for it, where it is watched."""
        self.page, self.models = page.encode(), list(models)
        self.version = secrets.token_urlsafe(8)

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def hosts(self) -> set[str]:
        """What a browser that was really sent here names as the host."""
        return {f"{name}:{self.server_port}" for name in (HOST, "localhost")}


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    server_version = "autoencode"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """The page, or which one it is."""
        path = self._path() if self._known() else None
        if path == "":
            self._send(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
        elif path == "version":
            self._send(HTTPStatus.OK, self.server.version.encode(), "text/plain")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"There is nothing here.\n", "text/plain")

    def do_POST(self) -> None:
        """The image of a code, for a page that cannot decode it: float32, little-endian."""
        if not self._known() or self._path() != "decode":
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND, b"There is nothing here.\n", "text/plain")
            return
        try:
            image = self._decoded(self._asked())
        except MISTAKES as error:
            self.close_connection = True
            self._send(HTTPStatus.BAD_REQUEST, f"{error}\n".encode(), "text/plain; charset=utf-8")
            return
        self._send(HTTPStatus.OK, image, "application/octet-stream")

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is for what the user has to know."""

    def _known(self) -> bool:
        # Another page in the same browser may ask this port, under a name of its own.
        if self.headers.get("Host") not in self.server.hosts():
            return False
        token = self.path.lstrip("/").split("/")[0]
        return secrets.compare_digest(token.encode(), self.server.token.encode())

    def _path(self) -> str | None:
        parts = self.path.split("?")[0].lstrip("/").split("/")
        return "/".join(parts[1:]) if len(parts) > 1 else None

    def _asked(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MOST_BYTES:
            raise ValueError("A request has a body, of at most a megabyte")
        asked = json.loads(self.rfile.read(length))
        if not isinstance(asked, dict):
            raise ValueError("A request is a JSON object")
        return asked

    def _decoded(self, asked: dict[str, Any]) -> bytes:
        model = self.server.models[int(asked["model"])]
        z = torch.tensor(asked["z"], dtype=torch.float32)
        if z.shape != (model.sizes.latent,):
            raise ValueError(f"A code of this model has {model.sizes.latent} numbers")
        told = None
        if model.sizes.context:
            told = torch.tensor([asked["c"]])
        with self.server.turn:
            image = decode(model, z[None], told)
        found: bytes = image.float().numpy().astype("<f4").tobytes()
        return found

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
