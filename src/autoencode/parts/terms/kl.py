"""The rate, held at a number of nats or above one."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.distributions import kl_divergence

from autoencode.contract import ForwardPass, Sizes, Term, Width, Within
from autoencode.errors import RecipeError
from autoencode.parts.terms.elbo import KL
from autoencode.parts.terms.normals import normals_of

Nats = Annotated[float, Within(0.0, 1e6)]


class Capacity(Term):
    """|KL(q(z|x) ‖ p(z|c)) − C|: how far the mean rate of the batch is from `capacity` nats, [].

    With a large weight the rate stays at C. Raised slowly from 0, C admits one factor of variation
    after another, those first that the reconstruction gains most from.
    Source: [burgess2018].
    """

    needs = KL.needs
    formula = "|KL(q(z|x) ‖ p(z)) − C|"

    def __init__(self, sizes: Sizes, capacity: Nats = 5.0) -> None:
        super().__init__(sizes)
        self.capacity = capacity
        self.rate = KL(sizes)

    def forward(self, p: ForwardPass) -> Tensor:
        """[]."""
        rate: Tensor = self.rate(p)
        return (rate.mean() - self.capacity).abs()


class FreeBits(Term):
    """Σⱼ max(λ, KLⱼ): the rate, with λ = `nats` free for each part of the code, [].

    KLⱼ is the mean over the batch of the KL of part j. Below λ it costs the same whatever it is,
    so that no part is switched off early in training.  Source: [kingma2016].

    groups: parts of consecutive numbers, of one size; None: each number is a part of its own.

    Raises:
        RecipeError: the code cannot be divided into so many parts; or, at the first batch, a
            posterior or a prior that is no product of normals.
    """

    needs = KL.needs | {"normal-posterior"}
    formula = "Σⱼ max(λ, KL(q(zⱼ|x) ‖ p(zⱼ)))"

    def __init__(self, sizes: Sizes, nats: Nats = 0.5, groups: Width | None = None) -> None:
        super().__init__(sizes)
        self.nats = nats
        self.groups = sizes.latent if groups is None else groups
        if sizes.latent % self.groups:
            raise RecipeError(
                f"A code of {sizes.latent} numbers cannot be divided into {groups} groups of one "
                "size",
                "Let groups divide the size of the code, or leave it away: one for each number.",
            )

    def forward(self, p: ForwardPass) -> Tensor:
        """[]."""
        q, pz = normals_of(p.code.q, "The posterior"), normals_of(p.pz, "The prior")
        each = kl_divergence(q, pz).mean(0)
        return each.reshape(self.groups, -1).sum(1).clamp(min=self.nats).sum()
