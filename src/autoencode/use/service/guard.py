"""What is checked of every request before it reaches the routes: its host and its token."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autoencode.use.service.limits import Refusal, busy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The names that a browser on this computer may use. A page of another site can send requests to
# this port, but under the name of its own host.
_LOCAL = re.compile(r"(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
# Probes of containers send no token; they learn whether the service runs, and no more.
OPEN_PATHS = ("/healthz", "/readyz")
# A client that is refused before its body has arrived often reads the answer only after sending.
LINGER_SECONDS = 1.0


class Guard:
    """An ASGI application around another one.

    token: required as "Authorization: Bearer TOKEN"; "" for none.
    local: whether only names of this computer are accepted as Host.
    """

    def __init__(self, app: ASGIApp, token: str = "", local: bool = True) -> None:
        self.app, self._token, self._local = app, token, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        arrived = _Arrival(receive, send, scope)
        refused = self._refusal(scope)
        if refused is not None:
            await respond(arrived.send, refused)
            return
        try:
            await self.app(scope, arrived.receive, arrived.send)
        except asyncio.CancelledError:  # the time to stop is over
            if not arrived.answered:
                await respond(send, busy("The service stops."))

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self._local:
            hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
            if len(hosts) != 1 or not _LOCAL.fullmatch(hosts[0]):
                return Refusal(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "The service answers this computer only, as 127.0.0.1 or localhost.",
                )
        if not self._token or scope["path"] in OPEN_PATHS:
            return None
        given = [value for name, value in headers if name == b"authorization"]
        kind, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        known = secrets.compare_digest(token.strip(), self._token.encode())
        if kind.lower() == b"bearer" and known:
            return None
        return Refusal(
            HTTPStatus.UNAUTHORIZED,
            "A token is needed: Authorization: Bearer TOKEN.",
            {"WWW-Authenticate": "Bearer"},
        )


class _Arrival:
    """A request whose body is read to its end, or for a while, before an answer is sent."""

    def __init__(self, receive: Receive, send: Send, scope: Scope) -> None:
        self._receive, self._send = receive, send
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self._more = length != b"0" or b"transfer-encoding" in headers
        self._lingers = b"expect" not in headers  # such a client has not begun to send
        self.answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = self._more and bool(message.get("more_body"))
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if self._more and self._lingers:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGER_SECONDS):
                        while self._more:
                            await self.receive()
            self.answered = True
        await self._send(message)


async def respond(send: Send, refusal: Refusal) -> None:
    """Send an error as an ASGI response."""
    body = error_body(refusal.sentence)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **refusal.headers,
    }
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status.value,
            "headers": _encoded(headers.items()),
        }
    )
    await send({"type": "http.response.body", "body": body})


def error_body(sentence: str) -> bytes:
    """The body of every error."""
    return json.dumps({"error": sentence}).encode()


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
