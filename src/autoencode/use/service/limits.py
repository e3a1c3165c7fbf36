"""The limits of the service, and the errors that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from autoencode.errors import AutoencodeError, ResourceError, is_out_of_memory

# Values of the examples of one request: 256 MiB as float32.
MAX_VALUES = 2**26
# Numbers in one JSON answer, about 80 MB of text.
MAX_JSON_NUMBERS = 4_000_000
# Bodies of requests that are in work at a time, as a multiple of the largest body.
MAX_HELD_BODIES = 8
RETRY_SECONDS = 1


@dataclass(frozen=True)
class ServiceLimits:
    """What one request may ask for, and how many may wait.

    max_body: bytes of a body.                   max_pixels: pixels of all images of a request.
    max_examples: examples of a request.         max_batch: examples that a model sees at a time.
    batch_window: seconds that a request waits for others, to be computed together.
    queue: requests in work at a time; more are refused.
    timeout: seconds for a request after its body has arrived.
    body_timeout: seconds for the arrival of the body.
    """

    max_body: int = 32_000_000
    max_pixels: int = 50_000_000
    max_examples: int = 1024
    max_batch: int = 256
    batch_window: float = 0.002
    queue: int = 128
    timeout: float = 30.0
    body_timeout: float = 10.0


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})


def too_large(sentence: str) -> Refusal:
    """The refusal of a body, or of what it holds, that is over a limit."""
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)


def busy(sentence: str) -> Refusal:
    """The refusal of a request that may succeed later."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, sentence, headers)


def refusal_of(error: BaseException, expected: str = "") -> Refusal | None:
    """How an error is answered; None for an error of the program.

    expected: what the model takes, which replaces advice for the command line or Python.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ResourceError):
        return Refusal(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
    if isinstance(error, AutoencodeError):
        sentence = error.what.rstrip(".") + "."
        if error.fix and not any(mark in error.fix for mark in ("--", "=", "np.", "x.", "(x", "`")):
            sentence += f" {error.fix}"
        elif expected:
            sentence += f" This model takes: {expected}."
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    if is_out_of_memory(error):
        return busy("Memory ran out. Send fewer or smaller examples, or try again later.")
    return None
