"""What the service computes: batches of the requests of one operation on one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autoencode.evaluation.metrics.quality import squared_error
from autoencode.models.inference import checked_examples, decode, in_batches
from autoencode.use.generation import draw
from autoencode.use.service.served import ServedModel


@dataclass(frozen=True, eq=False)
class ModelCall:
    """One request for a model.

    operation: "embed", "reconstruct", "score" or "generate".
    x: preprocessed examples; without any for "generate".   context: labels or vectors.
    n: number of examples.   drawing: the arguments of `draw` for "generate".
    """

    served: ServedModel
    operation: str
    n: int
    x: Tensor | None = None
    context: Tensor | None = None
    drawing: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Any, ...]:
        """ModelCall with equal keys is computed together."""
        kind = None if self.x is None else self.x.dtype
        return id(self.served), self.operation, kind, self.context is None


def checked(work: ModelCall) -> None:
    """Check the values of examples.

    Raises:
        DataError: see `autoencode.embed`.
    """
    if work.x is not None:
        checked_examples(work.served.model, work.x, work.context)


def compute(works: Sequence[ModelCall]) -> list[Tensor]:
    """The results of works with equal keys: codes, examples [n, *X], or scores [n]."""
    served, operation = works[0].served, works[0].operation
    if operation == "generate":
        z, context = _codes(works)
        whole = decode(served.model, z, context)
    else:
        x = torch.cat([work.x for work in works if work.x is not None])
        contexts = [work.context for work in works if work.context is not None]
        context = torch.cat(contexts) if contexts else None
        whole = _measured(served.model, operation, x, context)
    return list(torch.split(whole.float().cpu(), [work.n for work in works]))


def _measured(model: Any, operation: str, x: Tensor, context: Tensor | None) -> Tensor:
    def measure(x: Tensor, context: Tensor | None) -> Tensor:
        if operation == "embed":
            codes: Tensor = model.encode(x, context).z
            return codes
        images: Tensor = model.forward(x, context).images
        return squared_error(x, images) if operation == "score" else images

    return torch.cat(in_batches(model, x, measure, "", context=context))


def _codes(works: Sequence[ModelCall]) -> tuple[Tensor, Tensor | None]:
    """The codes to decode and the context of all requests for generated examples."""
    drawn = []
    for work in works:
        source = work.served.source_for(work.context)
        drawn.append(draw(work.served.model, work.n, source=source, **work.drawing))
    contexts = [each.context for each in drawn if each.context is not None]
    return torch.cat([each.z for each in drawn]), torch.cat(contexts) if contexts else None
