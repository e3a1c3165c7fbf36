"""Serves the explorer on this computer only."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from signal import SIGINT, SIGTERM
from typing import NamedTuple, Self

from autoencode.errors import AutoencodeError
from autoencode.explorer.requests import (
    MAX_HEAD_BYTES,
    METHODS,
    Request,
    RequestRefused,
    body_length,
    read_body,
    read_code,
    read_head,
)
from autoencode.models.build import Model
from autoencode.models.inference import decode

HOST = "127.0.0.1"
# The names that a browser may use for this computer. A page of another site can send requests to
# this port, but under the name of its own host. Any port: one that is forwarded has another number.
HOST_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)
# Connections that are served at a time; a browser opens six. More are answered with 503.
MAX_CONNECTIONS = 256
BACKLOG = 1024
# For a connection without a request, for a request, and for reading what a refused one still sends.
IDLE_SECONDS, REQUEST_SECONDS, LINGER_SECONDS = 30.0, 10.0, 1.0
POLL_SECONDS = 0.1
# Readers that are slower are disconnected.
CHUNK_BYTES = MIN_BYTES_PER_SECOND = 2**16
JSON = "application/json"


class Answer(NamedTuple):
    """The answer to a request.   header: another header, complete."""

    body: bytes
    kind: str
    status: HTTPStatus = HTTPStatus.OK
    header: str = ""


class ExplorerServer:
    """Serves one page below a secret path, and decodes codes if the page cannot run a decoder.

    All connections share one thread, and are bounded in number, size and time. Each request gets an
    answer; an error is JSON, `{"error": "a sentence"}`.

    page: the HTML.   models: the models on the page, in its order.
    port: 0 takes any free port.

    Raises:
        AutoencodeError: the port is not available.
    """

    def __init__(self, page: str, models: Sequence[Model], port: int = 0) -> None:
        try:
            self._socket = socket.create_server((HOST, port), backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise AutoencodeError(
                f"Port {port} is not available: {error}", "Choose another --port, or 0 for any."
            ) from error
        self.server_port: int = self._socket.getsockname()[1]
        self.show(page, models)
        self.token = secrets.token_urlsafe(16)
        # One request at a time uses the models, always in the same thread: each thread of torch
        # keeps memory and threads of its own.
        self._executor = ThreadPoolExecutor(1)
        self._connections = 0
        self._stopping = threading.Event()

    def show(self, page: str, models: Sequence[Model]) -> None:
        """Replace the page; an open page that watches its server reloads."""
        self.page, self.models = page.encode(errors="backslashreplace"), list(models)
        self.version = secrets.token_urlsafe(8)

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def serve_forever(self) -> int | None:
        """Answer requests until `shutdown` or a signal; return SIGINT or SIGTERM, or None.

        Only the main thread receives signals.
        """
        return asyncio.run(self._serve())

    def shutdown(self) -> None:
        """Make `serve_forever` return soon; may be called from any thread."""
        self._stopping.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> int | None:
        loop = asyncio.get_running_loop()
        # Too many open files, say: asyncio tries again, and there is nothing for a user to do.
        loop.set_exception_handler(lambda *_: None)
        received: list[int] = []

        def stop(number: int) -> None:
            received.append(number)
            self._stopping.set()

        if threading.current_thread() is threading.main_thread():
            for each in (SIGINT, SIGTERM):
                loop.add_signal_handler(each, stop, each)
        server = await asyncio.start_server(
            self._connect, sock=self._socket, limit=MAX_HEAD_BYTES, backlog=BACKLOG
        )
        try:
            while not self._stopping.is_set():
                await asyncio.sleep(POLL_SECONDS)
        finally:
            server.close()
        return next(iter(received), None)

    async def _connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the requests of a connection. A client may leave at any time."""
        transport = writer.transport
        transport.set_write_buffer_limits(0)  # drain() waits until all is sent
        full = self._connections >= MAX_CONNECTIONS
        self._connections += not full
        try:
            if full:
                busy = _error(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
                await _send(writer, busy, keeps_alive=False)
            else:
                while await self._exchange(reader, writer):
                    pass
            writer.write_eof()
            # Closed with bytes unread, a connection is reset, and the answer may be lost.
            async with asyncio.timeout(LINGER_SECONDS):
                while await reader.read(CHUNK_BYTES):
                    pass
        except OSError:  # also TimeoutError
            pass
        finally:
            self._connections -= not full
            transport.abort()

    async def _exchange(self, reader: StreamReader, writer: StreamWriter) -> bool:
        """Answer one request; return whether the connection waits for another."""
        async with asyncio.timeout(IDLE_SECONDS):
            first = await reader.read(1)
        if not first:
            return False
        request, keeps_alive = None, False
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await read_head(first, reader)
                body = await self._check(request, reader, writer)
            answer = await self._answer(request, body)
            keeps_alive = request.keeps_alive and (body is not None or not request.has_body)
        except RequestRefused as refused:
            allow = f"Allow: {refused.allow}\r\n" if refused.allow else ""
            answer = _error(refused.status, refused.sentence, allow)
        except TimeoutError:
            answer = _error(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.")
        except ConnectionError:
            raise
        except Exception as error:  # memory runs out, say; the server continues
            answer = _error(HTTPStatus.INTERNAL_SERVER_ERROR, f"The request failed: {error}")
        head_only = request is not None and request.method == "HEAD"
        await _send(writer, answer, keeps_alive, head_only)
        return keeps_alive

    async def _check(
        self, request: Request, reader: StreamReader, writer: StreamWriter
    ) -> bytes | None:
        """The body of a request for an image; None for other requests.

        Raises:
            RequestRefused: nothing is at this path, or it has other methods.
        """
        if request.method not in METHODS:
            raise _wrong_method(", ".join(METHODS))
        path = self._path(request)
        if path not in ("", "version", "decode"):
            raise RequestRefused(HTTPStatus.NOT_FOUND, "Nothing is at this address.")
        allowed = METHODS[2:] if path == "decode" else METHODS[:2]
        if request.method not in allowed:
            raise _wrong_method(", ".join(allowed))
        if path != "decode":
            return None
        length = body_length(request)
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await read_body(reader, length)

    def _path(self, request: Request) -> str | None:
        """The path below the secret one; None for a request from elsewhere."""
        if not HOST_NAMES.fullmatch(request.headers.get("host", "")):
            return None
        token, slash, path = request.target.lstrip("/").partition("/")
        known = secrets.compare_digest(token.encode(), self.token.encode())
        return path.split("?")[0] if known and slash else None

    async def _answer(self, request: Request, body: bytes | None) -> Answer:
        if body is not None:
            loop = asyncio.get_running_loop()
            image = await loop.run_in_executor(self._executor, self._decoded, body)
            return Answer(image, "application/octet-stream")
        if self._path(request) == "version":
            return Answer(self.version.encode(), "text/plain; charset=utf-8")
        return Answer(self.page, "text/html; charset=utf-8")

    def _decoded(self, body: bytes) -> bytes:
        """The decoded image of a code: float32, little-endian."""
        model, z, context = read_code(body, self.models)
        try:
            image = decode(model, z, context)
        except AutoencodeError as error:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, str(error)) from error
        found: bytes = image.float().cpu().numpy().astype("<f4").tobytes()
        return found


def _error(status: HTTPStatus, sentence: str, header: str = "") -> Answer:
    return Answer(json.dumps({"error": sentence}).encode() + b"\n", JSON, status, header)


def _wrong_method(allow: str) -> RequestRefused:
    return RequestRefused(
        HTTPStatus.METHOD_NOT_ALLOWED, f"This address answers {allow} only.", allow
    )


async def _send(
    writer: StreamWriter, answer: Answer, keeps_alive: bool, head_only: bool = False
) -> None:
    """Send an answer, to a reader that is fast enough.

    Raises:
        OSError: the reader has left, or is too slow.
    """
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.kind}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        f"Connection: {'keep-alive' if keeps_alive else 'close'}\r\n"
        "Cache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"{answer.header}\r\n"
    )
    body = memoryview(b"" if head_only else answer.body)
    async with asyncio.timeout(REQUEST_SECONDS + len(body) / MIN_BYTES_PER_SECOND):
        writer.write(head.encode())
        await writer.drain()
        for start in range(0, len(body), CHUNK_BYTES):
            writer.write(body[start : start + CHUNK_BYTES])
            await writer.drain()
