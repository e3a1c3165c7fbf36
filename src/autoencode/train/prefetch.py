"""Batches read from the disk before a step asks for them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

# Batches on their way at once: a disk serves many requests in the time of one.
DEPTH = 8


class Prefetcher:
    """Rows of a tensor [N, *X] that lies over a map of a file, brought into memory by threads.

    A step that touches rows which are not in memory waits for the disk once for each of them.
    """

    def __init__(self, x: Tensor) -> None:
        # numpy copies rows in the thread that asks; torch would start threads for each of these.
        self.x = x.numpy()
        self.threads = ThreadPoolExecutor(DEPTH, thread_name_prefix="autoencode-batch")
        self.coming: dict[int, tuple[Tensor, Future[np.ndarray]]] = {}

    def has(self, step: int) -> bool:
        """Whether the batch of a step was asked for."""
        return step in self.coming

    def ask(self, step: int, rows: Tensor) -> None:
        """Begins to read the batch of a step, rows [B], and does not wait."""
        read = self.threads.submit(np.take, self.x, rows.cpu().numpy(), axis=0)
        self.coming[step] = rows, read

    def take(self, step: int) -> tuple[Tensor, Tensor]:
        """The rows that were asked for, [B], and the batch, [B, *X]; what is past is let go."""
        rows, read = self.coming.pop(step)
        for other in [each for each in self.coming if not step < each < step + DEPTH]:
            self.coming.pop(other)[1].cancel()
        return rows, torch.from_numpy(read.result())
