"""One training step: the only one; compilation and mixed precision wrap it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autoencode.maths import autocast
from autoencode.maths.sharding import Shard, sharded
from autoencode.models.objective import LossOutput
from autoencode.train.batches import Batch
from autoencode.train.meter import squared_error
from autoencode.train.optimizer import FusedAdamW
from autoencode.train.state import TrainState


class StepOutput(NamedTuple):
    """What one update reports, without gradients.

    loss: [].   terms: each term unweighted, averaged over the batch, [].
    squared_error: computes the squared error, summed over pixels, averaged over the batch, [].
    """

    loss: Tensor
    terms: dict[str, Tensor]
    squared_error: Callable[[], Tensor]


class BatchPart(NamedTuple):
    """Examples whose gradients are computed at once.

    x: [b, *X].   context: [b] or [b, C]; None without a context.
    shard: which rows of a part of a batch they are, where several processes train; else None.
    """

    x: Tensor
    context: Tensor | None
    shard: Shard | None


def train_step(state: TrainState, batch: Batch) -> StepOutput:
    """One update of the model's weights, and of its critics', by one batch.

    Learning rate and schedules are set before, by `state.apply_schedules()`; counting the step is
    left to the caller.

    Raises:
        Diverged: loss or gradient is not finite; the weights are as they were.
    """
    x = batch.examples()
    n, parts = len(x), list(_parts(state, x, batch.context))
    outputs = [_backward(state, part, n) for part in parts]
    report = _together(state, outputs, n)
    if state.settings.clip is not None:
        norm = nn.utils.clip_grad_norm_(state.optimizer.parameters, state.settings.clip)
        state.check_finite(norm, {"gradient": norm})
    state.optimizer.step()
    state.optimizer.zero_grad()
    if state.critic_optimizer is not None:  # never in parts
        _update_critics(state, state.critic_optimizer, outputs[0], parts[0], n)
    return report


def _parts(state: TrainState, x: Tensor, context: Tensor | None) -> Iterator[BatchPart]:
    """The parts of a batch whose gradients are added up; of each, the rows of this process."""
    count = state.settings.accumulate
    if count == 1 and state.group.size == 1:
        yield BatchPart(x, context, None)
        return
    for start in range(0, len(x), size := -(-len(x) // count)):
        rows = slice(start, start + size)
        shard = state.group.shard(len(x[rows]))
        if shard is not None:
            rows = slice(start + shard.start, start + shard.stop)
        yield BatchPart(x[rows], None if context is None else context[rows], shard)


def _backward(state: TrainState, part: BatchPart, n: int) -> LossOutput:
    """Adds the gradients of a part of a batch of `n` examples.

    Raises:
        Diverged: the loss is not finite.
    """
    with sharded(part.shard), autocast(state.precision, state.device):
        output: LossOutput = state.objective(part.x, part.context)
    if part.shard is None:  # else the sum over all processes is checked
        state.check_finite(output.loss, output.terms)
    loss = output.loss if len(part.x) == n else output.loss * (len(part.x) / n)
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    return output


def _together(state: TrainState, outputs: Sequence[LossOutput], n: int) -> StepOutput:
    """What a batch of `n` examples reports; the gradients are summed over all processes.

    Raises:
        Diverged: the loss of all processes is not finite.
    """
    if len(outputs) == 1 and state.group.size == 1:
        (output,) = outputs
        terms = {name: term.detach() for name, term in output.terms.items()}
        return StepOutput(output.loss.detach(), terms, lambda: _squared_error(output))
    shares = [len(output.forward_pass.x) / n for output in outputs]

    def mean(values: Iterable[Tensor]) -> Tensor:
        return torch.stack([s * v.detach() for s, v in zip(shares, values, strict=True)]).sum()

    loss = mean(output.loss for output in outputs)
    terms = {name: mean(output.terms[name] for output in outputs) for name in outputs[0].terms}

    def error() -> Tensor:
        return mean(_squared_error(output) for output in outputs)

    if state.group.size == 1:
        return StepOutput(loss, terms, error)
    loss, *values = state.group.reduce(
        state.optimizer.parameters, [loss, *terms.values()], state.checks
    )
    terms = dict(zip(terms, values, strict=True))
    state.check_finite(loss, terms)
    return StepOutput(loss, terms, lambda: state.group.reduce([], [error()])[0])


def _update_critics(
    state: TrainState, optimizer: FusedAdamW, output: LossOutput, part: BatchPart, n: int
) -> None:
    """Updates the critics of adversarial terms on the same forward pass."""
    with sharded(part.shard), autocast(state.precision, state.device):
        loss = state.objective.critics_loss(output.forward_pass)
    if part.shard is None:
        state.check_finite(loss, {"critic": loss})
    else:
        loss = loss * (len(part.x) / n)
    optimizer.zero_grad()  # the model's own update left gradients in the critics
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    if part.shard is not None:
        (loss,) = state.group.reduce(optimizer.parameters, [loss.detach()])
        state.check_finite(loss, {"critic": loss})
    optimizer.step()
    optimizer.zero_grad()
    state.optimizer.zero_grad()  # and the critics' update left gradients in the model


def _squared_error(output: LossOutput) -> Tensor:
    with torch.no_grad():
        return squared_error(output.forward_pass.px.mean, output.forward_pass.x)
