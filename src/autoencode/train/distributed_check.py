"""Whether several processes can train a model: a few examples, divided and whole, are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.maths.sharding import sharded
from autoencode.models.build import learns_labels
from autoencode.models.recipe import Recipe
from autoencode.models.seeding import seeded
from autoencode.parts.bottlenecks.codebook import Codebook
from autoencode.train.batches import Batches
from autoencode.train.distributed_layers import whole_batch_layers
from autoencode.train.state import TrainState

# Examples of each process.
EXAMPLES = 8
# Largest difference of a term, and of a gradient or statistic as a vector, relative to its size.
# Rounding gives 1e-5; noise or statistics of other examples give 1e-2 and more.
MAX_DIFFERENCE = 3e-3
# Differences that count as rounding whatever they are compared with: of a term, and of a gradient
# relative to the gradient of all weights.
ROUNDING = 1e-4


@dataclass(frozen=True)
class PassResult:
    """What one pass through a model gave.

    terms: the loss and its terms, [].   vectors: the gradient of each parameter that has one, and
    each buffer that the pass changed.
    """

    terms: dict[str, Tensor]
    vectors: dict[str, Tensor]


def refuse_undivided(state: TrainState, batches: Batches, recipe: Recipe, data: Data) -> None:
    """Refuses a model whose batches cannot be divided among processes.

    All processes call it, before anything is written. A few examples are passed through the model
    twice: all of them in each process, and divided among the processes. Loss, gradients and running
    statistics must be the same. The state and torch's random state are left as they were.

    Raises:
        RecipeError: they are not the same, or examples have no label and the model predicts it.
    """
    group = state.group
    fix = "Train it in one process: use the same command without torchrun."
    if learns_labels(recipe) and _has_unknown_labels(data):
        raise group.agree(
            RecipeError(
                f'"{recipe.name}" cannot be trained in {group.size} processes on examples without '
                "labels: each of them is passed through the model once for each class, and a "
                "process may have none of them",
                fix,
            )
        )
    before = {name: t.clone() for name, t in state.objective.state_dict().items()}
    mode = state.objective.training
    state.objective.train()
    for module in state.objective.modules():
        if isinstance(module, Codebook):
            # Between entries that are as good as each other, rounding decides which one moves.
            module.eval()
    try:
        whole = _measured(state, batches, divided=False)
        state.objective.load_state_dict(before)
        divided = _measured(state, batches, divided=True)
    finally:
        state.objective.load_state_dict(before)
        state.objective.train(mode)
        state.optimizer.zero_grad()
    # What the first process found, so that all end or none.
    if wrong := group.first(lambda: next(_differences(whole, divided), None)):
        raise group.agree(
            RecipeError(
                f'"{recipe.name}" cannot be trained in {group.size} processes: if they divide a '
                f"batch, {wrong}. A part of it draws random numbers, or uses statistics of the "
                "batch, of the examples of one process only",
                fix,
            )
        )


def _has_unknown_labels(data: Data) -> bool:
    return data.train.y is None or bool((data.train.y < 0).any())


def _measured(state: TrainState, batches: Batches, divided: bool) -> PassResult:
    """Passes a few examples through the model, forwards and backwards."""
    objective, group = state.objective, state.group
    objective.apply_schedules(state.step)
    state.optimizer.zero_grad()
    batch = batches[state.step]
    n = min(batches.batch_size, EXAMPLES * group.size)
    shard = group.shard(n) if divided else None
    rows = slice(0, n) if shard is None else slice(shard.start, shard.stop)
    before = {name: t.clone() for name, t in objective.named_buffers()}
    parameters = [p for p in objective.parameters() if p.requires_grad]
    with seeded(state.settings.seed, state.device), whole_batch_layers(objective):
        x = batch.prepare(batch.raw[:n])[rows]
        context = None if batch.context is None else batch.context[:n][rows]
        with sharded(shard):
            output = objective(x, context)
            loss, share = output.loss, len(x) / n
            torch.autograd.backward(loss * share)
            if state.critic_optimizer is not None:
                # Its gradients are added to those of the model, which tells as much.
                critics = objective.critics_loss(output.forward_pass)
                torch.autograd.backward(critics * share)
    figures = {"the loss": loss, **{f'term "{k}"': v for k, v in output.terms.items()}}
    values = [share * value.detach() for value in figures.values()]
    if divided:
        values = group.reduce(parameters, values)
    named = {id(p): name.removeprefix("model.") for name, p in objective.named_parameters()}
    vectors = {
        f"the gradient of {named[id(p)]}": p.grad.clone() for p in parameters if p.grad is not None
    }
    vectors |= {
        f"the statistic {name}": t.double()
        for name, t in objective.named_buffers()
        if not torch.equal(t, before[name])
    }
    for p in parameters:
        p.grad = None
    return PassResult(dict(zip(figures, values, strict=True)), vectors)


def _differences(whole: PassResult, divided: PassResult) -> Iterator[str]:
    """A phrase for each number that is not the same, the terms first."""
    for name, term in whole.terms.items():
        a, b = term.item(), divided.terms[name].item()
        # Not finite values are for training to refuse.
        if abs(a - b) > MAX_DIFFERENCE * abs(a) + ROUNDING:
            yield f"{name} is {b:.4g} instead of {a:.4g}"
    gradients = [v for name, v in whole.vectors.items() if name.startswith("the gradient")]
    total = sum(float(v.square().sum()) for v in gradients) ** 0.5
    if names := whole.vectors.keys() ^ divided.vectors.keys():
        yield f"{min(names)} is there for a part of the processes only"
    for name in whole.vectors.keys() & divided.vectors.keys():
        vector, other = whole.vectors[name], divided.vectors[name]
        size, difference = vector.norm().item(), (vector - other).norm().item()
        scale = total if name.startswith("the gradient") else 1.0
        if difference > MAX_DIFFERENCE * size + ROUNDING * scale:
            yield f"{name} differs by {difference / max(size, 1e-30):.0%}"
