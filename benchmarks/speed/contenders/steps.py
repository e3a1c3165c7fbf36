"""Two shapes that a contender can have; `advance(n)` carries out `n` steps of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Semaphore, Thread


class Steps:
    """A loop of one's own: a generator that yields after each step."""

    def __init__(self, each: Iterator[None]) -> None:
        self._each = each

    def advance(self, steps: int) -> None:
        """Carries out `steps` steps."""
        for _ in range(steps):
            next(self._each)


class Paused:
    """A trainer that owns its loop: it runs in a thread, and stops there between two blocks.

    train: begins the training; calls what it is given after each step.
    """

    def __init__(self, train: Callable[[Callable[[], None]], object]) -> None:
        self._train, self._left = train, 0
        self._go, self._done = Semaphore(0), Semaphore(0)
        self._error: BaseException | None = None
        Thread(target=self._run, daemon=True).start()

    def advance(self, steps: int) -> None:
        """Carries out `steps` steps."""
        self._left = steps
        self._go.release()
        self._done.acquire()
        if self._error:
            raise self._error

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._train(self._stepped)
            self._error = RuntimeError("the training came to its end")
        except BaseException as error:
            self._error = error
        self._done.release()

    def _stepped(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.release()
            self._go.acquire()
