"""Whether operations are traced, so that their values are not available."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACED: ContextVar[bool] = ContextVar("traced", default=False)


def traced() -> bool:
    """Whether operations are being traced; no values may be read then."""
    return _TRACED.get()


@contextmanager
def tracing() -> Iterator[None]:
    """Context manager inside which `traced` is true."""
    before = _TRACED.set(True)
    try:
        yield
    finally:
        _TRACED.reset(before)
