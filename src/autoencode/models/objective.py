"""The objective: a weighted sum of named terms, in nats for each example."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from autoencode.contract import Autoencoder, Pass, Sizes, Term
from autoencode.models.assemble import part
from autoencode.models.recipe import Recipe


class Judged(NamedTuple):
    """What one batch costs.

    loss: what training minimises, [].   terms: each term unweighted, nats for an example, [].
    trip: the pass that was judged.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    trip: Pass


class Objective(nn.Module):
    """A model and the terms it is trained by; its `forward` is the loss."""

    def __init__(self, model: Autoencoder, recipe: Recipe, sizes: Sizes) -> None:
        super().__init__()
        self.model = model
        # A list, because a dict of modules has names of its own that no term could have.
        self.terms = nn.ModuleList(part("terms", spec, sizes) for spec in recipe.terms.values())
        self.weights = {name: spec.weight for name, spec in recipe.terms.items()}

    def forward(self, x: Tensor, c: Tensor | None = None) -> Judged:
        """Images [B, *X] to the loss and each term, averaged over the batch."""
        trip = self.model.trip(x, c)
        values = {name: term(trip).mean() for name, term in self.named_terms()}
        values |= {name: cost.mean() for name, cost in trip.code.costs.items()}
        weighted = [self.weights.get(name, 1.0) * value for name, value in values.items()]
        return Judged(sum(weighted[1:], weighted[0]), values, trip)

    def named_terms(self) -> Iterable[tuple[str, Term]]:
        """The terms by name."""
        for name, term in zip(self.weights, self.terms, strict=True):
            assert isinstance(term, Term)
            yield name, term
