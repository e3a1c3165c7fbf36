"""The process of the service: its socket, its signals, and slow connections."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoencode.errors import AutoencodeError
from autoencode.io.signals import StopSignals
from autoencode.use.service.app import Service, create_app
from autoencode.use.service.guard import Guard, respond
from autoencode.use.service.limits import busy

MAX_CONNECTIONS = 1000
BACKLOG = 2048
# A connection may be this long without any progress: no request, and no bytes of an answer taken.
IDLE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 30


def is_local(host: str) -> bool:
    """Whether an address reaches this computer only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 takes any free one.

    Raises:
        AutoencodeError: the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        raise AutoencodeError(
            f"{host}, port {port} is not available: {error}",
            "Choose another --port, or 0 for any; or another --host.",
        ) from error


def serve_on(
    listening: socket.socket,
    service: Service,
    token: str,
    local: bool,
    grace: float,
    started: Callable[[], None] = lambda: None,
) -> int | None:
    """Answer requests until SIGINT or SIGTERM, which is returned; SIGHUP loads the models again.

    token, local: see `Guard`.   grace: seconds for requests in work after a signal.
    """

    def ready() -> None:
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            tasks: set[asyncio.Task[None]] = set()

            def reload() -> None:
                task = loop.create_task(service.reload())
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            loop.add_signal_handler(signal.SIGHUP, reload)
        started()

    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        Guard(create_app(service, ready), token, local),
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(grace)),
        lifespan="on",
    )
    with StopSignals() as stop:
        uvicorn.Server(config).run(sockets=[listening])
    return stop.received


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that closes connections without progress, and refuses too many of them."""

    _last: Any = None

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(transport)
        # The head and the body of an answer are two packets; the second one would wait for the
        # acknowledgement of the first, 40 ms. asyncio sees to it only for sockets of its own.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _too_many
        self._timer = self.loop.call_later(IDLE_SECONDS, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Close the connection if it made no progress since the last call."""
        idle = self.cycle is None or self.cycle.response_complete
        now = (self.cycle, self.transport.get_write_buffer_size()) if idle else None
        # Kept alive without a request, it is closed by its own timer.
        resting = self.timeout_keep_alive_task is not None and not now[1] if now else False
        if now is not None and now == self._last and not resting:
            self.transport.abort()
            return
        self._last = now
        self._timer = self.loop.call_later(IDLE_SECONDS, self._watch)


async def _too_many(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, busy("There are too many connections. Try again later."))
