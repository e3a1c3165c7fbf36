"""Two kinds of loops to time; `advance(n)` runs `n` steps of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Semaphore, Thread


class Steps:
    """A loop written as a generator that yields after each step."""

    def __init__(self, steps: Iterator[None]) -> None:
        self._steps = steps

    def advance(self, steps: int) -> None:
        """Runs `steps` steps."""
        for _ in range(steps):
            next(self._steps)


class ThreadedTrainer:
    """A trainer with its own loop: it runs in a thread and is paused between two blocks.

    train: runs the training, and calls the function that it receives after each step.
    """

    def __init__(self, train: Callable[[Callable[[], None]], object]) -> None:
        self._train, self._remaining = train, 0
        self._go, self._done = Semaphore(0), Semaphore(0)
        self._error: BaseException | None = None
        Thread(target=self._run, daemon=True).start()

    def advance(self, steps: int) -> None:
        """Runs `steps` steps."""
        self._remaining = steps
        self._go.release()
        self._done.acquire()
        if self._error:
            raise self._error

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._train(self._on_step)
            self._error = RuntimeError("the training has ended")
        except BaseException as error:
            self._error = error
        self._done.release()

    def _on_step(self) -> None:
        self._remaining -= 1
        if not self._remaining:
            self._done.release()
            self._go.acquire()
