"""The objective: a weighted sum of named loss terms, and the schedules of their weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from autoencode.contract import Adversary, Autoencoder, ForwardPass, Sampler, Sizes, Term
from autoencode.errors import RecipeError
from autoencode.models.assemble import part
from autoencode.models.recipe import Recipe
from autoencode.models.schedules import Course
from autoencode.parts import SLOTS


class LossOutput(NamedTuple):
    """The loss of one batch.

    loss: the weighted sum that training minimises, [].
    terms: each term and cost without its weight, averaged over the batch, []; for its unit see
        `describe.term_unit`.
    forward_pass: the forward pass that the loss was computed from.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    forward_pass: ForwardPass


class Objective(nn.Module):
    """A model with the terms of its loss; `forward` computes the loss of a batch."""

    def __init__(self, model: Autoencoder, recipe: Recipe, sizes: Sizes) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        # Not a ModuleDict, because its attribute names could not be used as names of terms.
        self.terms = nn.ModuleList(part("terms", spec, sizes) for spec in recipe.terms.values())
        self.weights = {name: spec.weight for name, spec in recipe.terms.items()}
        self.schedules = tuple(_schedules(self))
        # A list, because an attribute that is a module would be saved twice.
        self.frozen: list[nn.Module] = []

    def forward(self, x: Tensor, context: Tensor | None = None) -> LossOutput:
        """Computes the loss of examples [B, *X] and the terms, averaged over the batch."""
        forward_pass = self.model.forward_pass(x, context)
        costs = forward_pass.code.costs
        values = {
            # A model may compute a term itself, as a cost with the name of the term.
            name: (costs[name] if name in costs else term(forward_pass)).mean()
            for name, term in self.named_terms()
        }
        values |= {name: cost.mean() for name, cost in costs.items() if name not in values}
        weighted = [self.weights.get(name, 1.0) * value for name, value in values.items()]
        return LossOutput(sum(weighted[1:], weighted[0]), values, forward_pass)

    def named_terms(self) -> Iterable[tuple[str, Term]]:
        """The terms, with their names in the recipe."""
        for name, term in zip(self.weights, self.terms, strict=True):
            assert isinstance(term, Term)
            yield name, term

    def freeze(self, half: str) -> None:
        """Keeps every number of the encoder or the decoder as it is, running statistics included.

        half: "encoder" or "decoder".

        Raises:
            RecipeError: nothing else is left to train, or the other half has some of its weights.
        """
        found: dict[str, list[nn.Module]] = {"encoder": [], "decoder": []}
        for name, module in self.named_modules():
            *above, last = name.split(".")
            if last in found and not found.keys() & set(above):
                found[last].append(module)
        weights = {side: {p for m in each for p in m.parameters()} for side, each in found.items()}
        if weights["encoder"] & weights["decoder"]:
            raise RecipeError(
                "Encoder and decoder of this model share weights, so that neither can be frozen "
                "alone",
                "Leave --freeze out.",
            )
        for p in weights[half]:
            p.requires_grad_(False)
        self.frozen = found[half]
        if not any(p.requires_grad for p in self.model_parameters()):
            raise RecipeError(
                f"Without the {half} nothing of this model is left to train",
                "Leave --freeze out.",
            )

    def train(self, mode: bool = True) -> Self:
        """Sets training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def critics(self) -> list[Adversary]:
        """The terms that have a critic."""
        return [term for term in self.terms if isinstance(term, Adversary)]

    def critics_loss(self, p: ForwardPass) -> Tensor:
        """The sum of the critics' losses, []; there is at least one critic."""
        losses = [critic.critic_loss(p) for critic in self.critics()]
        return sum(losses[1:], losses[0])

    def critics_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of all critics."""
        for critic in self.critics():
            yield from critic.parameters()

    def model_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that training changes: all except those of critics and samplers."""
        excluded = {id(p) for p in self.critics_parameters()}
        for module in self.modules():
            if isinstance(module, Sampler):
                excluded |= {id(p) for p in module.parameters()}
        return (p for p in self.parameters() if id(p) not in excluded)

    def apply_schedules(self, step: float) -> None:
        """Sets every scheduled value of the recipe to its value at a step; `inf` for the end."""
        for schedule in self.schedules:
            schedule.apply(step)


@dataclass(frozen=True)
class Schedule:
    """The course of a weight or of an attribute of a part, to its value in the recipe, `end`.

    owner: the dict of weights, or the part, that holds the value under `name`.
    """

    owner: dict[str, float] | nn.Module
    name: str
    course: Course
    end: float

    def apply(self, step: float) -> None:
        """Sets it to its value at a step."""
        start = self.course.start
        value = start + (self.end - start) * self.course.share(step)
        if isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)


def _schedules(objective: Objective) -> Iterator[Schedule]:
    for address, given in objective.recipe.schedules.items():
        course = Course.of(given, address)
        *where, name = address.split(".")
        if where[0] == "terms" and name == "weight":
            end = objective.weights[where[1]]
            yield Schedule(objective.weights, where[1], course, end)
            continue
        owners = _owners(objective, where)
        if not owners or not all(_is_number(getattr(owner, name, None)) for owner in owners):
            raise RecipeError(
                f'"{address}" cannot be scheduled: it is used only when the model is built',
                "A schedule can change weights of terms and numbers that a part computes with.",
            )
        for owner in owners:
            yield Schedule(owner, name, course, float(getattr(owner, name)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _owners(objective: Objective, where: list[str]) -> list[nn.Module]:
    """The term, or all modules of the part in a slot; a model may contain several."""
    if where[0] == "terms":
        return [dict(objective.named_terms())[where[1]]]
    kind = SLOTS[where[0]].get(getattr(objective.recipe, where[0]).kind)
    return [module for module in objective.modules() if type(module) is kind]
