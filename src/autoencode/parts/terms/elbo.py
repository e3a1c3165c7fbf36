"""The terms of the evidence lower bound."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Normal, kl_divergence

from autoencode.contract import ForwardPass, Term
from autoencode.errors import RecipeError
from autoencode.maths import MixtureDistribution
from autoencode.parts.terms.normals import normals_of


class Reconstruction(Term):
    """Negative log-likelihood −ln p(x|z) of the target given the code, nats, [*S, B]."""

    name = "reconstruction"
    formula = "−ln p(x|z)"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        return -p.px.log_prob(p.x)


class KL(Term):
    """KL divergence KL(q(z|x) ‖ p(z|c)) of the posterior from the prior, nats.

    It has a closed form, [B], for normals, ½ Σ (σ² + μ² − 1 − ln σ²), and on the sphere, ln of the
    area minus the entropy. Otherwise (mixtures, flows, the box) it is estimated without bias by
    ln q(z|x) − ln p(z|c) at the sampled z, [*S, B]. Posterior and prior must have the same space.
    Source: [kingma2014], eq. 3 and appendix B.
    """

    name = "kl"
    needs = frozenset({"posterior", "prior"})
    formula = "KL(q(z|x) ‖ p(z))"

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values [B], or [*S, B] if the KL has no closed form."""
        assert p.code.q is not None  # `needs` was checked when the model was built
        assert p.pz is not None
        try:
            return kl_divergence(p.code.q, p.pz)
        except NotImplementedError:
            return p.code.q.log_prob(p.code.z) - p.pz.log_prob(p.code.z)


class ClusterKL(Term):
    """KL term of VaDE: KL(q(z|x) q(k|x) ‖ p(z, k)) of codes z and clusters k, nats, [*S, B].

    Σₖ γₖ KL(q(z|x) ‖ p(z|k)) + Σₖ γₖ ln(γₖ / πₖ) with γₖ = q(k|x) = p(k|z) at the sampled z; the
    first KL has a closed form. The value is at least KL(q(z|x) ‖ p(z)), which the term "kl"
    estimates. The difference is E_q KL(γ ‖ p(k|z)); it is 0 if the posterior lies within one
    cluster, so the term penalises posteriors that extend over several clusters.
    Source: [jiang2017].

    Raises:
        RecipeError: at the first batch, the prior is not a mixture of normals.
    """

    name = "cluster-kl"
    needs = frozenset({"posterior", "prior", "normal-posterior", "mixture-prior"})
    formula = "KL(q(z|x) q(k|x) ‖ p(z, k))"

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        if not isinstance(p.pz, MixtureDistribution):
            raise RecipeError(
                'Term "cluster-kl" needs a mixture prior, and this prior is none',
                'Use prior "mixture", or the term "kl".',
            )
        q = normals_of(p.code.q, "The posterior")
        clusters = normals_of(p.pz.component_distribution, "A cluster of the prior")
        event = -len(p.pz.event_shape)
        expanded = Normal(
            q.loc.unsqueeze(event - 1), q.scale.unsqueeze(event - 1), validate_args=False
        )
        kl_to_cluster = kl_divergence(expanded, clusters).flatten(event).sum(-1)
        log_gamma = p.pz.responsibilities(p.code.z)
        return (log_gamma.exp() * (kl_to_cluster + log_gamma - p.pz.log_weights)).sum(-1)
