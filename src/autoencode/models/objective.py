"""The objective: a weighted sum of named terms, in nats for each example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from autoencode.contract import Adversary, Autoencoder, ForwardPass, Sampler, Sizes, Term
from autoencode.errors import RecipeError
from autoencode.models.assemble import part
from autoencode.models.recipe import Recipe
from autoencode.parts import SLOTS


class LossOutput(NamedTuple):
    """What one batch costs.

    loss: what training minimises, [].   terms: each term unweighted, nats for an example, [].
    forward_pass: the pass that was judged.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    forward_pass: ForwardPass


class Objective(nn.Module):
    """A model and the terms it is trained by; its `forward` is the loss."""

    def __init__(self, model: Autoencoder, recipe: Recipe, sizes: Sizes) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        # A list, because a dict of modules has names of its own that no term could have.
        self.terms = nn.ModuleList(part("terms", spec, sizes) for spec in recipe.terms.values())
        self.weights = {name: spec.weight for name, spec in recipe.terms.items()}
        self.schedules = tuple(_schedules(self))

    def forward(self, x: Tensor, context: Tensor | None = None) -> LossOutput:
        """Images [B, *X] to the loss and each term, averaged over the batch."""
        forward_pass = self.model.forward_pass(x, context)
        costs = forward_pass.code.costs
        values = {
            # A model that knows a term better than the term does charges it under its name.
            name: (costs[name] if name in costs else term(forward_pass)).mean()
            for name, term in self.named_terms()
        }
        values |= {name: cost.mean() for name, cost in costs.items() if name not in values}
        weighted = [self.weights.get(name, 1.0) * value for name, value in values.items()]
        return LossOutput(sum(weighted[1:], weighted[0]), values, forward_pass)

    def named_terms(self) -> Iterable[tuple[str, Term]]:
        """The terms by name."""
        for name, term in zip(self.weights, self.terms, strict=True):
            assert isinstance(term, Term)
            yield name, term

    def critics(self) -> list[Adversary]:
        """The terms that own a critic."""
        return [term for term in self.terms if isinstance(term, Adversary)]

    def critics_loss(self, p: ForwardPass) -> Tensor:
        """What the critics pay for a pass, []; there is at least one."""
        own = [critic.critic_loss(p) for critic in self.critics()]
        return sum(own[1:], own[0])

    def critics_parameters(self) -> Iterator[nn.Parameter]:
        """What the critics' optimiser changes."""
        for critic in self.critics():
            yield from critic.parameters()

    def model_parameters(self) -> Iterator[nn.Parameter]:
        """What the model's optimiser changes: all but the critics' and a fitted sampler's."""
        theirs = {id(p) for p in self.critics_parameters()}
        for module in self.modules():
            if isinstance(module, Sampler):
                theirs |= {id(p) for p in module.parameters()}
        return (p for p in self.parameters() if id(p) not in theirs)

    def apply_schedules(self, step: float) -> None:
        """Puts every number of `recipe.schedules` where it stands at a step; `inf` is the end."""
        for schedule in self.schedules:
            schedule.apply(step)


@dataclass(frozen=True)
class Schedule:
    """A number that moves in training: in a straight line from `start` to `end`, in `steps`.

    owner: what holds it, a dict of weights or a part, under `name`.
    wait: steps that it first stays at `start`.
    """

    owner: dict[str, float] | nn.Module
    name: str
    start: float
    end: float
    steps: int
    wait: int = 0

    def apply(self, step: float) -> None:
        """Sets it to its value at a step."""
        value = self.start + (self.end - self.start) * min(
            1.0, max(0.0, step - self.wait) / self.steps
        )
        if isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)


def _schedules(objective: Objective) -> Iterator[Schedule]:
    for address, (start, *steps) in objective.recipe.schedules.items():
        *where, name = address.split(".")
        if where[0] == "terms" and name == "weight":
            end = objective.weights[where[1]]
            yield Schedule(objective.weights, where[1], start, end, *steps)
            continue
        owners = _owners(objective, where)
        if not owners or not all(_is_number(getattr(owner, name, None)) for owner in owners):
            raise RecipeError(
                f'"{address}" cannot move while training: it is fixed when the model is built',
                "A schedule moves weights of terms and numbers that a part computes with.",
            )
        for owner in owners:
            yield Schedule(owner, name, start, float(getattr(owner, name)), *steps)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _owners(objective: Objective, where: list[str]) -> list[nn.Module]:
    """The term, or all parts that a recipe's slot has become: a model may hold several of one."""
    if where[0] == "terms":
        return [dict(objective.named_terms())[where[1]]]
    kind = SLOTS[where[0]].get(getattr(objective.recipe, where[0]).kind)
    return [module for module in objective.modules() if type(module) is kind]
