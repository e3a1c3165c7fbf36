"""Operations on a GPU, recorded so that all of them start at once.

A processor needs longer to start a small operation than a GPU to carry it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Recording:
    """Calls of a function as one CUDA graph, which does on the GPU what they do there.

    The function must read and write the same memory in each call; what it computes on the
    processor is not repeated.

    calls: how many.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """

    def __init__(self, function: Callable[[], Sequence[Tensor]], calls: int) -> None:
        """Records the function, which must have run before; nothing is computed.

        Raises:
            RuntimeError: the function waits for the GPU, for instance to read a value.
        """
        self.calls, self.graph = calls, torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            found = [torch.stack(list(function())) for _ in range(calls)]
            self.results = torch.stack(found)

    def __call__(self) -> list[Tensor]:
        """Starts the operations; the results of each call, [n], which no later one overwrites."""
        self.graph.replay()
        return list(self.results.clone().unbind())
