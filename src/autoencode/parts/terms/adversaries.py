"""Adversarial terms on codes: a critic network distinguishes two distributions of codes."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from autoencode.contract import Adversary, ForwardPass, Sizes, Width, Within
from autoencode.maths import Float32Linear
from autoencode.maths.sharding import own_rows, whole_batch
from autoencode.parts.terms.matching import codes_and_prior_samples

Layers = Annotated[int, Within(0, 100)]


class CodeCritic(Adversary):
    """Base class of terms whose critic is an MLP on codes.

    width, layers: width and number of the critic's hidden layers.
    """

    def __init__(self, sizes: Sizes, width: Width = 256, layers: Layers = 3) -> None:
        super().__init__(sizes)
        self.critic = _critic(sizes.latent, width, layers)

    def logits(self, codes: Tensor) -> Tensor:
        """ln D/(1 − D) of codes [*S, B, d]: [*S, B]."""
        logits: Tensor = self.critic(codes)
        return logits.squeeze(-1)

    def codes(self, p: ForwardPass) -> Tensor:
        """The codes of a pass, [*S, B, d]."""
        return p.code.z.flatten(-len(self.sizes.z))


class Factor(CodeCritic):
    """Total correlation KL(q(z) ‖ ∏ᵢ q(zᵢ)), estimated by a critic (FactorVAE), nats, [*S, B].

    The critic D distinguishes codes from codes whose dimensions are permuted independently across
    the batch, which are samples of ∏ᵢ q(zᵢ). For an optimal critic ln D/(1 − D) is the log ratio
    of the two densities, and its mean over codes is the total correlation. The estimate may be
    negative.  Source: [kim2018].
    """

    name = "factor"
    formula = "KL(q(z) ‖ ∏ᵢ q(zᵢ)) ≈ ln D(z)/(1 − D(z))"

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        return self.logits(self.codes(p))

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(z) − ½ ln(1 − D(z permuted)), []."""
        codes = self.codes(p).detach()
        # An independent random permutation of the batch for each dimension.
        every = whole_batch(codes, -2)
        permuted = own_rows(every.gather(-2, torch.rand_like(every).argsort(-2)), -2)
        return _cross_entropy(self.logits(codes), self.logits(permuted))


class MatchPrior(CodeCritic):
    """Adversarial loss that matches the aggregate posterior to the prior, [*S, B].

    The critic D distinguishes prior samples from codes, and the encoder minimises −ln D(z), the
    non-saturating loss (adversarial autoencoder, WAE-GAN). It is ln 2 if the critic cannot
    distinguish them.  Source: [makhzani2016]; [tolstikhin2018], algorithm 1.
    """

    name = "match-prior"
    needs = frozenset({"prior"})
    formula = "−ln D(z), D: prior sample or code"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        return softplus(-self.logits(self.codes(p)))

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(prior sample) − ½ ln(1 − D(z)), []."""
        codes, prior = (z.detach() for z in codes_and_prior_samples(p, self.sizes))
        return _cross_entropy(self.logits(prior), self.logits(codes))


def _cross_entropy(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits with target 1 and logits with target 0, []."""
    return 0.5 * (softplus(-positive).mean() + softplus(negative).mean())


def _critic(inputs: int, width: int, layers: int) -> nn.Sequential:
    """Network of codes [..., d] to a logit [..., 1]; its first and last layer are in float32."""
    modules: list[nn.Module] = []
    widths = [inputs, *[width] * layers]
    for i, o in pairwise(widths):
        modules += [nn.Linear(i, o) if modules else Float32Linear(i, o), nn.LeakyReLU(0.2)]
    return nn.Sequential(*modules, Float32Linear(widths[-1], 1))
