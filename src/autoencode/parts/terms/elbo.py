"""The two terms of the evidence lower bound."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import kl_divergence

from autoencode.contract import Pass, Term


class Reconstruction(Term):
    """−ln p(x|z): the nats that describing x still costs when its code is known, [*S, B]."""

    formula = "−ln p(x|z)"

    def forward(self, p: Pass) -> Tensor:
        """[*S, B]."""
        return -p.px.log_prob(p.x)


class Rate(Term):
    """KL(q(z|x) ‖ p(z|c)): the nats that a code costs.

    Closed form where torch registers one, [B]: for normals ½ Σ (σ² + μ² − 1 − ln σ²). Else
    ln q(z|x) − ln p(z|c) at the drawn z, [*S, B] (unbiased).
    Needs a posterior and a prior on one space.  Source: [kingma2014], eq. 3 and appendix B.
    """

    needs = frozenset({"posterior", "prior"})
    formula = "KL(q(z|x) ‖ p(z))"

    def forward(self, p: Pass) -> Tensor:
        """[B], or [*S, B] where the KL has no closed form."""
        assert p.code.q is not None  # `needs` was checked when the model was built
        assert p.pz is not None
        try:
            return kl_divergence(p.code.q, p.pz)
        except NotImplementedError:
            return p.code.q.log_prob(p.code.z) - p.pz.log_prob(p.code.z)
