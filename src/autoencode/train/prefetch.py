"""Batches that are read from the disk before a step needs them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

# Batches that are read at once: a disk serves many requests in the time of one.
DEPTH = 8


class Prefetcher:
    """Rows of a memory-mapped tensor [N, *X], brought into memory by threads.

    A step that reads rows which are not in memory waits for the disk once for each of them.
    """

    def __init__(self, x: Tensor) -> None:
        # NumPy copies rows in the thread that calls it; torch would start threads for each copy.
        self.x = x.numpy()
        self.threads = ThreadPoolExecutor(DEPTH, thread_name_prefix="autoencode-batch")
        self.requests: dict[int, tuple[Tensor, Future[np.ndarray]]] = {}

    def is_requested(self, step: int) -> bool:
        """Whether the batch of a step was requested."""
        return step in self.requests

    def request(self, step: int, rows: Tensor) -> None:
        """Starts to read the batch of a step, rows [B], and does not wait."""
        read = self.threads.submit(np.take, self.x, rows.cpu().numpy(), axis=0)
        self.requests[step] = rows, read

    def take(self, step: int) -> tuple[Tensor, Tensor]:
        """The rows that were requested, [B], and the batch, [B, *X]; drops outdated requests."""
        rows, read = self.requests.pop(step)
        for other in [each for each in self.requests if not step < each < step + DEPTH]:
            self.requests.pop(other)[1].cancel()
        return rows, torch.from_numpy(read.result())
