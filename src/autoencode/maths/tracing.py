"""Whether operations are carried out, or written down to be carried out later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TRACED: ContextVar[bool] = ContextVar("traced", default=False)


def traced() -> bool:
    """Whether what runs is being written down: no value can then be asked for."""
    return _TRACED.get()


@contextmanager
def tracing() -> Iterator[None]:
    """Says so to all that runs inside."""
    before = _TRACED.set(True)
    try:
        yield
    finally:
        _TRACED.reset(before)
