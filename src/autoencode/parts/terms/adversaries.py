"""Terms with a critic: what no formula tells apart, a network learns to."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from autoencode.contract import Adversary, ForwardPass, Sizes, Width, Within
from autoencode.maths import Float32Linear
from autoencode.parts.terms.matching import clouds

Layers = Annotated[int, Within(0, 100)]


class Factor(Adversary):
    """KL(q(z) ‖ ∏ᵢ q(zᵢ)) by a critic (FactorVAE), nats, [*S, B].

    The critic D tells codes from codes whose numbers were shuffled among the examples, each on its
    own: draws of ∏ᵢ q(zᵢ). Where it has learned that well, ln D/(1 − D) is the log ratio of the two
    densities, and its mean over codes the total correlation. That may come out negative while the
    critic still learns.  Source: [kim2018].

    width, layers: of the critic's hidden layers.
    """

    formula = "KL(q(z) ‖ ∏ᵢ q(zᵢ)) ≈ ln D(z)/(1 − D(z))"

    def __init__(self, sizes: Sizes, width: Width = 256, layers: Layers = 3) -> None:
        super().__init__(sizes)
        self.critic = _critic(sizes.latent, width, layers)

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        return _logits(self.critic, _codes(p, self.sizes))

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(z) − ½ ln(1 − D(z shuffled)), nats, []."""
        codes = _codes(p, self.sizes).detach()
        # Each number is taken from the example that a random order of its own names.
        shuffled = codes.gather(-2, torch.rand_like(codes).argsort(-2))
        return _told_apart(_logits(self.critic, codes), _logits(self.critic, shuffled))


class MatchPrior(Adversary):
    """The codes of all examples together follow the prior as far as a critic can tell, [*S, B].

    The critic D tells draws from the prior from codes; the encoder pays −ln D(z), the loss that
    does not fade where the critic is sure (adversarial autoencoder, WAE-GAN). A critic that can
    tell nothing charges ln 2.  Source: [makhzani2016]; [tolstikhin2018], algorithm 1.

    width, layers: of the critic's hidden layers.
    """

    needs = frozenset({"prior"})
    formula = "−ln D(z), D: prior or code?"
    unit = ""

    def __init__(self, sizes: Sizes, width: Width = 256, layers: Layers = 3) -> None:
        super().__init__(sizes)
        self.critic = _critic(sizes.latent, width, layers)

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        return softplus(-_logits(self.critic, _codes(p, self.sizes)))

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(draw from the prior) − ½ ln(1 − D(z)), nats, []."""
        codes, draws = (cloud.detach() for cloud in clouds(p, self.sizes))
        return _told_apart(_logits(self.critic, draws), _logits(self.critic, codes))


def _codes(p: ForwardPass, sizes: Sizes) -> Tensor:
    """[*S, B, d]."""
    return p.code.z.flatten(-len(sizes.z))


def _told_apart(yes: Tensor, no: Tensor) -> Tensor:
    """The cross-entropy of a critic that should answer yes to one half and no to the other, []."""
    return 0.5 * (softplus(-yes).mean() + softplus(no).mean())


def _logits(critic: nn.Module, codes: Tensor) -> Tensor:
    """ln D/(1 − D) of codes [*S, B, d]: [*S, B]."""
    logits: Tensor = critic(codes)
    return logits.squeeze(-1)


def _critic(inputs: int, width: int, layers: int) -> nn.Sequential:
    """Codes [..., d] to a logit [..., 1]; its ends stay in float32, as codes do."""
    modules: list[nn.Module] = []
    widths = [inputs, *[width] * layers]
    for i, o in pairwise(widths):
        modules += [nn.Linear(i, o) if modules else Float32Linear(i, o), nn.LeakyReLU(0.2)]
    return nn.Sequential(*modules, Float32Linear(widths[-1], 1))
