"""Reading the body of a request within limits of size and time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from autoencode.data.uploaded import Upload
from autoencode.use.service.inputs import Body
from autoencode.use.service.limits import (
    MAX_HELD_BODIES,
    Refusal,
    ServiceLimits,
    busy,
    too_large,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message

FORM, JSON = "multipart/form-data", "application/json"
_RAW = ("", "application/octet-stream", "application/x-npy")


class BodyReader:
    """Reads bodies, and counts the bytes that all requests in work hold."""

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits, self.held = limits, 0

    async def read(self, request: Request, max_files: int) -> tuple[Body, int]:
        """The body of a request, and its bytes, which the caller releases by `release`.

        Raises:
            Refusal: an unknown type, too large, too slow, or malformed.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        coding = request.headers.get("content-encoding", "identity").lower()
        if not (kind in (FORM, JSON, *_RAW) or kind.startswith("image/")) or coding != "identity":
            what = kind if coding == "identity" else f"the encoding {coding}"
            raise Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"{what[:60]} is not accepted. Send {JSON}, {FORM}, an image, or "
                "application/x-npy, not compressed.",
            )
        counted = _Counted(request, self)
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                labels = request.query_params.getlist("label")
                if kind == FORM:
                    body = await counted.form(labels, max_files)
                else:
                    content = await counted.content()
                    body = Body("json" if kind == JSON else "bytes", content, labels=labels)
        except BaseException as error:
            self.release(counted.total)
            if isinstance(error, TimeoutError):
                raise Refusal(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"The body did not arrive within {self._limits.body_timeout:g} seconds.",
                    {"Connection": "close"},
                ) from error
            raise
        return body, counted.total

    def add(self, count: int, total: int) -> None:
        """Count bytes that have arrived, of a body with `total` of them so far."""
        self.held += count
        if total > self._limits.max_body:
            raise too_large(f"The body has more than {self._limits.max_body:,} bytes.")
        if self.held > MAX_HELD_BODIES * self._limits.max_body:
            raise busy("The bodies of other requests fill the memory. Try again later.")

    def release(self, count: int) -> None:
        """Count bytes that are no longer held."""
        self.held -= count


class _Counted:
    """One body.   total: bytes of it so far."""

    def __init__(self, request: Request, reader: BodyReader) -> None:
        from starlette.requests import Request as Counted

        self._reader, self.total = reader, 0
        self._receive = request.receive
        self._request = Counted(request.scope, self._next)
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:19]) > reader._limits.max_body:
            reader.add(0, int(length[:19]))

    async def _next(self) -> Message:
        message = await self._receive()
        count = len(message.get("body", b""))
        self.total += count
        self._reader.add(count, self.total)
        return message

    async def content(self) -> bytes:
        whole = bytearray()
        async for chunk in self._request.stream():
            whole += chunk
        if not whole:
            raise Refusal(HTTPStatus.BAD_REQUEST, "The body is empty.")
        return bytes(whole)

    async def form(self, labels: list[str], max_files: int) -> Body:
        from starlette.datastructures import UploadFile
        from starlette.exceptions import HTTPException
        from starlette.formparsers import MultiPartException

        files = []
        try:
            async with self._request.form(max_files=max_files, max_fields=max_files) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        files.append(Upload(value.filename or "", await value.read()))
                    elif name == "label":
                        labels = [*labels, value]
                    else:
                        raise Refusal(
                            HTTPStatus.UNPROCESSABLE_ENTITY,
                            f'The form has the field "{name[:40]}", which is neither a file nor '
                            "label.",
                        )
        except (MultiPartException, HTTPException) as error:
            why = getattr(error, "detail", None) or getattr(error, "message", "it is damaged")
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"The form cannot be read: {str(why).rstrip('.')}."
            ) from error
        return Body("form", files=files, labels=labels)
