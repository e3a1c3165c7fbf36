"""One training step: the only one; compilation and mixed precision wrap it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autoencode.models.objective import LossOutput
from autoencode.train.batches import Batch
from autoencode.train.meter import squared_error
from autoencode.train.optimizer import FusedAdamW
from autoencode.train.precision import autocast
from autoencode.train.state import TrainState


class StepOutput(NamedTuple):
    """What one update reports, without gradients.

    loss: [].   terms: each term unweighted, averaged over the batch, [].
    squared_error: computes the squared error, summed over pixels, averaged over the batch, [].
    """

    loss: Tensor
    terms: dict[str, Tensor]
    squared_error: Callable[[], Tensor]


def train_step(state: TrainState, batch: Batch) -> StepOutput:
    """One update of the model's weights, and of its critics', by one batch.

    Learning rate and schedules are set before, by `state.apply_schedules()`; counting the step is
    left to the caller.

    Raises:
        Diverged: loss or gradient is not finite; the weights are as they were.
    """
    x = batch.examples()
    outputs = [_backward(state, *part, len(x)) for part in _parts(state, x, batch.context)]
    if state.settings.clip is not None:
        norm = nn.utils.clip_grad_norm_(state.optimizer.parameters, state.settings.clip)
        state.check_finite(norm, {"gradient": norm})
    state.optimizer.step()
    state.optimizer.zero_grad()
    if state.critic_optimizer is not None:
        _update_critics(state, state.critic_optimizer, outputs[0])  # never in parts
    if len(outputs) == 1:
        (output,) = outputs
        terms = {name: term.detach() for name, term in output.terms.items()}
        return StepOutput(output.loss.detach(), terms, lambda: _squared_error(output))
    return _together(outputs, len(x))


def _parts(
    state: TrainState, x: Tensor, context: Tensor | None
) -> list[tuple[Tensor, Tensor | None]]:
    """The parts of a batch whose gradients are added up, with their contexts."""
    count = state.settings.accumulate
    if count == 1:
        return [(x, context)]
    parts = x.chunk(count)
    contexts = [None] * len(parts) if context is None else context.chunk(count)
    return list(zip(parts, contexts, strict=True))


def _backward(state: TrainState, x: Tensor, context: Tensor | None, n: int) -> LossOutput:
    """Adds the gradients of a part of a batch of `n` examples.

    Raises:
        Diverged: the loss is not finite.
    """
    with autocast(state.precision, state.device):
        output: LossOutput = state.objective(x, context)
    state.check_finite(output.loss, output.terms)
    loss = output.loss if len(x) == n else output.loss * (len(x) / n)
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    return output


def _together(outputs: Sequence[LossOutput], n: int) -> StepOutput:
    """What a batch of `n` examples reports whose parts were computed one by one."""
    shares = [len(output.forward_pass.x) / n for output in outputs]

    def mean(values: Iterable[Tensor]) -> Tensor:
        return torch.stack([s * v.detach() for s, v in zip(shares, values, strict=True)]).sum()

    return StepOutput(
        mean(output.loss for output in outputs),
        {name: mean(output.terms[name] for output in outputs) for name in outputs[0].terms},
        lambda: mean(_squared_error(output) for output in outputs),
    )


def _update_critics(state: TrainState, optimizer: FusedAdamW, output: LossOutput) -> None:
    """Updates the critics of adversarial terms on the same forward pass."""
    with autocast(state.precision, state.device):
        loss = state.objective.critics_loss(output.forward_pass)
    state.check_finite(loss, {"critic": loss})
    optimizer.zero_grad()  # the model's own update left gradients in the critics
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    optimizer.step()
    optimizer.zero_grad()
    state.optimizer.zero_grad()  # and the critics' update left gradients in the model


def _squared_error(output: LossOutput) -> Tensor:
    with torch.no_grad():
        return squared_error(output.forward_pass.px.mean, output.forward_pass.x)
