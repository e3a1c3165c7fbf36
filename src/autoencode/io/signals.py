"""Ctrl-C and SIGTERM stop the work at the next step; a second signal stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, Self

_asked: ContextVar[Callable[[], int | None]] = ContextVar("asked", default=lambda: None)


@contextmanager
def asked_to_stop(asked: Callable[[], int | None]) -> Iterator[None]:
    """A context in which another process may ask this thread to stop.

    asked: gives the signal that stands for it, or None.
    """
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


class StopSignals:
    """A context in which `received` is the signal that asked for a stop, or None.

    Only the main thread of a process receives signals; others may be asked, see `asked_to_stop`.
    """

    WATCHED = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def received(self) -> int | None:
        """The number of the signal."""
        return self._received if self._received is not None else _asked.get()()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._receive) for each in self.WATCHED}
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __exit__(self, *_: object) -> None:
        self._restore()
