"""Reads HTTP requests within bounds, and the JSON of one that asks for an image.

The standard library's http.server needs a thread for each connection, and bounds neither their
number nor the time of a request.
"""

from __future__ import annotations

import json
import re
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoencode.models.build import Model

# Of the request line and the headers together.
MAX_HEAD_BYTES = 2**15
MAX_HEADERS = 100
# A request holds one code.
MAX_BODY_BYTES = 2**20
METHODS = ("GET", "HEAD", "POST")

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e]+) HTTP/(\d\.\d)")
_HEADER = re.compile(rf"({_TOKEN}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


class RequestRefused(Exception):
    """A request that is answered with an error.   allow: the methods that are accepted instead."""

    def __init__(self, status: HTTPStatus, sentence: str, allow: str = "") -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.allow = status, sentence, allow


class Request(NamedTuple):
    """The head of a request.   headers: by their names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    keeps_alive: bool

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the headers."""
        length = self.headers.get("content-length", "0")
        return "transfer-encoding" in self.headers or length.strip("0") != ""


async def read_head(first: bytes, reader: StreamReader) -> Request:
    """Read the request line and the headers; `first` are the bytes that were read before.

    Raises:
        RequestRefused: this is not HTTP/1.0 or HTTP/1.1, or it is too long.
    """
    lines = await _lines(first, reader)
    found = _LINE.fullmatch(lines[0])
    assert found
    method, target, version = found.groups()
    if version not in ("1.0", "1.1"):
        raise RequestRefused(
            HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "The server speaks HTTP/1.0 and HTTP/1.1."
        )
    headers: dict[str, str] = {}
    for line in lines[1:]:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _bad("A header is not a name, a colon and a value.")
        name, value = header[1].lower(), header[2].strip(" \t")
        # Programs that read different ones of them see different requests.
        if name in headers and name in ("host", "content-length", "transfer-encoding"):
            raise _bad(f"The header {header[1]} occurs twice.")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    closes = "close" in re.split(r"[\s,]+", headers.get("connection", "").lower())
    return Request(method, target, headers, version == "1.1" and not closes)


def body_length(request: Request) -> int:
    """The number of bytes of the body.

    Raises:
        RequestRefused: there is no body, its length is not known in advance, or it is too long.
    """
    if "transfer-encoding" in request.headers or "content-length" not in request.headers:
        raise RequestRefused(
            HTTPStatus.LENGTH_REQUIRED, "A body needs Content-Length; it cannot come in chunks."
        )
    length = request.headers["content-length"]
    if not re.fullmatch("[0-9]+", length):
        raise _bad("Content-Length is not a number of bytes.")
    digits = length.lstrip("0") or "0"
    if len(digits) > 9 or int(digits) > MAX_BODY_BYTES:
        raise RequestRefused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {MAX_BODY_BYTES:,} bytes."
        )
    return int(digits)


async def read_body(reader: StreamReader, length: int) -> bytes:
    """Read a body of `length` bytes.

    Raises:
        RequestRefused: the connection ends before.
    """
    try:
        return await reader.readexactly(length)
    except IncompleteReadError as error:
        raise _bad("The body is shorter than its Content-Length.") from error


def read_code(body: bytes, models: Sequence[Model]) -> tuple[Model, Tensor, Tensor | None]:
    """The model of a request, its code [1, d] and its label [1] or vector [1, C], or None.

    Raises:
        RequestRefused: no such JSON, or numbers that are not finite in float32.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad("The body is not JSON.") from error
    if not isinstance(request, dict):
        raise _bad("The body is not a JSON object.")
    number = request.get("model")
    if type(number) is not int or not 0 <= number < len(models):
        raise _bad(f'"model" is not the number of a model, 0 to {len(models) - 1}.')
    model = models[number]
    z = _finite(request.get("z"), "z", model.sizes.latent)
    if not model.sizes.context:
        return model, z, None
    label = request.get("context")
    if type(label) is int and abs(label) < 2**31:
        return model, z, torch.tensor([label])
    return model, z, _finite(label, "context", model.sizes.context)


def _finite(values: Any, name: str, length: int) -> Tensor:
    """A list of numbers as float32 [1, length]."""
    wrong = _bad(f'"{name}" is not a list of {length:,} finite number{"s" * (length != 1)}.')
    if not isinstance(values, list) or len(values) != length:
        raise wrong
    if any(type(value) not in (int, float) for value in values):
        raise wrong
    try:
        tensor = torch.tensor([[float(value) for value in values]], dtype=torch.float32)
    except (OverflowError, RuntimeError) as error:
        raise wrong from error
    if not tensor.isfinite().all():
        raise wrong
    return tensor


async def _lines(first: bytes, reader: StreamReader) -> list[str]:
    """The request line and the headers, without the ends of the lines."""
    lines: list[str] = []
    size = 0
    while True:
        try:
            line = first + await reader.readline() if first != b"\n" else first
        except ValueError as error:  # longer than the limit of the reader
            raise _too_long(lines) from error
        first = b""
        size += len(line)
        if size > MAX_HEAD_BYTES or len(lines) > MAX_HEADERS + 1:
            raise _too_long(lines)
        if not line.endswith(b"\n"):
            raise _bad("The request ends before its headers do.")
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode("latin-1")
        if not lines and not _LINE.fullmatch(text):
            raise _bad("The first line is not one of HTTP, such as: GET / HTTP/1.1.")
        if not text:
            return lines
        lines.append(text)


def _too_long(lines: list[str]) -> RequestRefused:
    if not lines:
        return RequestRefused(
            HTTPStatus.REQUEST_URI_TOO_LONG, f"An address has at most {MAX_HEAD_BYTES:,} bytes."
        )
    return RequestRefused(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"A request has at most {MAX_HEADERS} headers, and {MAX_HEAD_BYTES:,} bytes of them.",
    )


def _bad(sentence: str) -> RequestRefused:
    return RequestRefused(HTTPStatus.BAD_REQUEST, sentence)
