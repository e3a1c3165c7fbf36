"""KL terms with a target or a minimum value in nats."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.distributions import kl_divergence

from autoencode.contract import ForwardPass, Sizes, Term, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths.sharding import whole_batch
from autoencode.parts.terms.elbo import KL
from autoencode.parts.terms.normals import normals_of

Nats = Annotated[float, Within(0.0, 1e6)]


class Capacity(Term):
    """|KL(q(z|x) ‖ p(z|c)) − C|: absolute difference of the batch's mean KL from C nats, [].

    With a large weight the KL stays near C = `capacity`. In the paper a schedule raises C from 0.
    Source: [burgess2018].
    """

    name = "capacity"
    needs = KL.needs
    formula = "|KL(q(z|x) ‖ p(z)) − C|"

    def __init__(self, sizes: Sizes, capacity: Nats = 5.0) -> None:
        super().__init__(sizes)
        self.capacity = capacity
        self.kl = KL(sizes)

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        kl: Tensor = self.kl(p)
        return (whole_batch(kl, -1).mean() - self.capacity).abs()


class FreeBits(Term):
    """KL term with free bits: Σⱼ max(λ, KLⱼ) with λ = `nats`, [].

    KLⱼ is the mean over the batch of the KL of group j of the latent dimensions. Below λ it has no
    gradient, so the term does not push it to 0 early in training.  Source: [kingma2016].

    groups: number of groups of consecutive dimensions; None for one group per dimension.

    Raises:
        RecipeError: the latent size is not a multiple of `groups`; or, at the first batch, the
            posterior or the prior is not a product of normals.
    """

    name = "free-bits"
    needs = KL.needs | {"normal-posterior"}
    formula = "Σⱼ max(λ, KL(q(zⱼ|x) ‖ p(zⱼ)))"

    def __init__(self, sizes: Sizes, nats: Nats = 0.5, groups: Width | None = None) -> None:
        super().__init__(sizes)
        self.nats = nats
        self.groups = sizes.latent if groups is None else groups
        if sizes.latent % self.groups:
            raise RecipeError(
                f"{sizes.latent} latent dimensions cannot be divided into {groups} groups of equal "
                "size",
                "Use a divisor of the latent size, or omit groups: one group per dimension.",
            )

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        q, pz = normals_of(p.code.q, "The posterior"), normals_of(p.pz, "The prior")
        kl = whole_batch(kl_divergence(q, pz)).mean(0)
        return kl.reshape(self.groups, -1).sum(1).clamp(min=self.nats).sum()
