"""The terms of the evidence lower bound."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Normal, kl_divergence

from autoencode.contract import ForwardPass, Term
from autoencode.errors import RecipeError
from autoencode.maths import MixtureDistribution
from autoencode.parts.terms.normals import normals_of


class Reconstruction(Term):
    """−ln p(x|z): the nats that describing x still costs when its code is known, [*S, B]."""

    formula = "−ln p(x|z)"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        return -p.px.log_prob(p.x)


class KL(Term):
    """KL(q(z|x) ‖ p(z|c)): the nats that a code costs.

    Closed form where one is registered, [B]: for normals ½ Σ (σ² + μ² − 1 − ln σ²), on the sphere
    the area's logarithm less the entropy. Else, as for mixtures, flows and the box,
    ln q(z|x) − ln p(z|c) at the drawn z, [*S, B] (unbiased).
    Needs a posterior and a prior on one space.  Source: [kingma2014], eq. 3 and appendix B.
    """

    needs = frozenset({"posterior", "prior"})
    formula = "KL(q(z|x) ‖ p(z))"

    def forward(self, p: ForwardPass) -> Tensor:
        """[B], or [*S, B] where the KL has no closed form."""
        assert p.code.q is not None  # `needs` was checked when the model was built
        assert p.pz is not None
        try:
            return kl_divergence(p.code.q, p.pz)
        except NotImplementedError:
            return p.code.q.log_prob(p.code.z) - p.pz.log_prob(p.code.z)


class ClusterKL(Term):
    """KL(q(z|x) q(k|x) ‖ p(z, k)): the nats that a code and its cluster k cost.

    Σₖ γₖ KL(q(z|x) ‖ p(z|k)) + Σₖ γₖ ln(γₖ / πₖ) with γₖ = q(k|x) = p(k|z) at the drawn z; the
    first KL in closed form. This is the rate of VaDE. It is at least KL(q(z|x) ‖ p(z)), which
    "kl" estimates under the same prior, and exceeds it by E_q KL(γ ‖ p(k|z)): by nothing where
    the whole posterior of x lies in one cluster, so that it presses each posterior into one.
    Source: [jiang2017].

    Raises:
        RecipeError: at the first batch, a prior that is no mixture of normals.
    """

    needs = frozenset({"posterior", "prior", "normal-posterior", "mixture-prior"})
    formula = "KL(q(z|x) q(k|x) ‖ p(z, k))"

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        if not isinstance(p.pz, MixtureDistribution):
            raise RecipeError(
                "A cluster-kl needs a prior with clusters, and this one has none",
                'Use prior "mixture", or the term "kl".',
            )
        q = normals_of(p.code.q, "The posterior")
        clusters = normals_of(p.pz.component_distribution, "A cluster of the prior")
        event = -len(p.pz.event_shape)
        apart = Normal(
            q.loc.unsqueeze(event - 1), q.scale.unsqueeze(event - 1), validate_args=False
        )
        each = kl_divergence(apart, clusters).flatten(event).sum(-1)
        log_share = p.pz.responsibilities(p.code.z)
        return (log_share.exp() * (each + log_share - p.pz.log_weights)).sum(-1)
