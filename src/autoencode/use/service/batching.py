"""Requests that arrive within a few milliseconds are computed together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress

from torch import Tensor

from autoencode.errors import AutoencodeError
from autoencode.use.service.operations import ModelCall, compute


class Batcher:
    """Collects work into batches, which one thread computes one after the other.

    window: seconds that the first work of a batch waits for more.
    max_batch: number of examples at which a batch is complete.
    executor: has one thread.   observe: receives the number of examples of each batch.
    expects: whether more work may come soon; if not, nothing waits.
    """

    def __init__(
        self,
        executor: Executor,
        window: float,
        max_batch: int,
        observe: Callable[[int], None] = lambda examples: None,
        expects: Callable[[], bool] = lambda: True,
    ) -> None:
        self._executor, self._observe, self._expects = executor, observe, expects
        self._window, self._max_batch = window, max_batch
        self._waiting: deque[tuple[ModelCall, float, asyncio.Future[Tensor]]] = deque()
        self._more = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    async def result(self, work: ModelCall) -> Tensor:
        """The result of one work.

        Raises:
            AutoencodeError: the work cannot be done.
        """
        future: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, time.monotonic(), future))
        self._more.set()
        return await future

    async def run(self) -> None:
        """Compute until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next()
            works = [work for work, _ in batch]
            self._observe(sum(work.n for work in works))
            results = await loop.run_in_executor(self._executor, _each, works)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():  # its request was given up
                    continue
                if isinstance(result, Tensor):
                    future.set_result(result)
                else:
                    future.set_exception(result)

    async def _next(self) -> list[tuple[ModelCall, asyncio.Future[Tensor]]]:
        """The oldest work, and what can be computed with it."""
        while True:
            while self._waiting and self._waiting[0][2].done():
                self._waiting.popleft()
            if not self._waiting:
                await self._wait(None)
                continue
            key, since = self._waiting[0][0].key, self._waiting[0][1]
            examples = sum(work.n for work, *_ in self._waiting if work.key == key)
            left = since + self._window - time.monotonic()
            if left <= 0 or examples >= self._max_batch or not self._expects():
                return self._take(key)
            await self._wait(left)

    async def _wait(self, seconds: float | None) -> None:
        self._more.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._more.wait()

    def _take(self, key: tuple[object, ...]) -> list[tuple[ModelCall, asyncio.Future[Tensor]]]:
        taken: list[tuple[ModelCall, asyncio.Future[Tensor]]] = []
        left: deque[tuple[ModelCall, float, asyncio.Future[Tensor]]] = deque()
        examples, full = 0, False
        for item in self._waiting:
            work, _, future = item
            if future.done():
                continue
            fits = work.key == key and not full
            if fits and (not taken or examples + work.n <= self._max_batch):
                taken.append((work, future))
                examples += work.n
            else:
                full = full or fits  # requests keep their order
                left.append(item)
        self._waiting = left
        return taken


def _each(works: Sequence[ModelCall]) -> list[Tensor | Exception]:
    """The results of a batch; if it fails, those of each work alone, so that only the bad fail."""
    try:
        return [*compute(works)]
    except Exception as error:
        if len(works) == 1:
            return [error]
        if not isinstance(error, AutoencodeError | RuntimeError | MemoryError):
            return [error] * len(works)
    return [result for work in works for result in _each([work])]
