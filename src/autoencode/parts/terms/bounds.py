"""Importance-weighted bounds on ln p(x); each stands in for reconstruction and rate together."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.errors import RecipeError

Groups = Annotated[int, Within(1, 100_000)]


class ImportanceWeighted(Term):
    """−ln of the mean importance weight of S drawn codes: the IWAE bound on −ln p(x), [B].

    −ln 1/S Σₛ wₛ with wₛ = p(x|zₛ) p(zₛ|c) / q(zₛ|x). It tightens as S grows, to −ln p(x) itself;
    S = 1, or a code without samples, is the VAE's bound.  Source: [burda2016].
    """

    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−ln 1/S Σₛ p(x|zₛ) p(zₛ) / q(zₛ|x)"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """[B]."""
        return -_log_mean_exp(_draws(p).log_weights)


class DoublyReparametrised(Term):
    """The IWAE bound, whose encoder learns from an estimate of its gradient with less noise, [B].

    The plain gradient of the encoder drowns in noise as S grows, because the density q(zₛ|x)
    itself is differentiated. Reparametrised once more, the same expected gradient is
    Σₛ w̃ₛ² ∂ ln wₛ/∂zₛ · ∂zₛ/∂φ with w̃ₛ = wₛ / Σ w. Decoder and prior get the plain gradient.
    Value, and S = 1: as `ImportanceWeighted`.  Source: [tucker2019].
    """

    # A posterior that remembers where a draw came from has no ∂ ln q/∂z to be asked for.
    needs = frozenset({"posterior", "prior", "samples", "normal-posterior"})
    formula = "−ln 1/S Σₛ p(x|zₛ) p(zₛ) / q(zₛ|x), encoder reparametrised twice"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """[B]."""
        draws = _draws(p)
        value = -_log_mean_exp(draws.log_weights)
        shares = draws.log_weights.detach().softmax(0)
        encoder = shares.square()
        along_z = (encoder - shares) * draws.joint - encoder * draws.posterior
        return _with_gradient(value, draws, shares * draws.joint, along_z)


class MultiplyImportanceWeighted(Term):
    """The mean of several IWAE bounds, each on its group of the S codes (MIWAE), [B].

    −1/M Σₘ ln 1/K Σₖ wₘₖ with M = `groups` and K = S / M. Looser than one bound on all S codes;
    the encoder's gradient has less noise. A code without samples counts as S = M = 1.
    Source: [rainforth2018].

    Raises:
        RecipeError: the samples cannot be divided into so many groups.
    """

    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−1/M Σₘ ln 1/K Σₖ p(x|zₘₖ) p(zₘₖ) / q(zₘₖ|x)"
    has_likelihood = True

    def __init__(self, sizes: Sizes, groups: Groups = 2) -> None:
        super().__init__(sizes)
        self.groups = groups

    def forward(self, p: ForwardPass) -> Tensor:
        """[B]."""
        return -_log_mean_exp(_grouped(_draws(p).log_weights, self.groups)).mean(0)


class PartiallyImportanceWeighted(Term):
    """The IWAE bound for decoder and prior, the MIWAE bound for the encoder (PIWAE), [B].

    A tighter bound is better for the decoder and worse for the encoder, whose gradient it drowns
    in noise; so each follows its own. The value is that of IWAE on all S codes; the gradient of
    what z and q depend on is that of MIWAE with `groups` groups, of all else that of IWAE.
    A code without samples counts as S = 1.  Source: [rainforth2018].

    Raises:
        RecipeError: the samples cannot be divided into so many groups.
    """

    needs = frozenset({"posterior", "prior", "samples"})
    formula = "decoder: IWAE, encoder: MIWAE"
    has_likelihood = True

    def __init__(self, sizes: Sizes, groups: Groups = 2) -> None:
        super().__init__(sizes)
        self.groups = groups

    def forward(self, p: ForwardPass) -> Tensor:
        """[B]."""
        draws = _draws(p)
        value = -_log_mean_exp(draws.log_weights)
        log_weights = draws.log_weights.detach()
        grouped = _grouped(log_weights, self.groups)
        # Both gradients are sums of ∇ ln wₛ, with these shares.
        decoder = log_weights.softmax(0)
        encoder = (grouped.softmax(0) / grouped.shape[1]).reshape(log_weights.shape)
        direct = decoder * draws.joint - encoder * draws.posterior
        return _with_gradient(value, draws, direct, (encoder - decoder) * draws.joint)


class CombinationImportanceWeighted(Term):
    """Part VAE's bound, part IWAE's, on the same S codes (CIWAE), [B].

    −β · 1/S Σₛ ln wₛ − (1 − β) · ln 1/S Σₛ wₛ with β = `elbo_share`: 0 is IWAE, 1 is the VAE with
    S codes for each example.  Source: [rainforth2018].
    """

    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−β 1/S Σₛ ln wₛ − (1−β) ln 1/S Σₛ wₛ,  wₛ = p(x|zₛ) p(zₛ) / q(zₛ|x)"
    has_likelihood = True

    def __init__(self, sizes: Sizes, elbo_share: Annotated[float, Within(0.0, 1.0)] = 0.5) -> None:
        super().__init__(sizes)
        self.elbo_share = elbo_share

    def forward(self, p: ForwardPass) -> Tensor:
        """[B]."""
        log_weights = _draws(p).log_weights
        elbo, iwae = log_weights.mean(0), _log_mean_exp(log_weights)
        return -self.elbo_share * elbo - (1 - self.elbo_share) * iwae


class _Draws(NamedTuple):
    """The drawn codes of a batch, judged.

    z: as the decoder got them, [S, B, *Z] or [B, *Z].  event: dimensions of *Z.
    joint: ln p(x|z) + ln p(z|c), [S, B].               posterior: ln q(z|x), [S, B].
    """

    z: Tensor
    event: int
    joint: Tensor
    posterior: Tensor

    @property
    def log_weights(self) -> Tensor:
        """ln w = ln p(x|z) + ln p(z|c) − ln q(z|x), [S, B]."""
        return self.joint - self.posterior


def _draws(p: ForwardPass) -> _Draws:
    assert p.code.q is not None  # `needs` was checked when the model was built
    assert p.pz is not None
    z = p.code.z
    joint, posterior = p.px.log_prob(p.x) + p.pz.log_prob(z), p.code.q.log_prob(z)
    shape = (-1, joint.shape[-1])
    event = len(p.code.q.event_shape)
    return _Draws(z, event, joint.reshape(shape), posterior.reshape(shape))


def _log_mean_exp(log_weights: Tensor) -> Tensor:
    """Over the first dimension."""
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _grouped(log_weights: Tensor, groups: int) -> Tensor:
    """[S, B] to [K, M, B]; a single sample is its own group.

    Raises:
        RecipeError: S is no multiple of M.
    """
    samples = len(log_weights)
    if samples == 1:
        groups = 1
    if samples % groups:
        raise RecipeError(
            f"{samples} samples cannot be divided into {groups} groups of one size",
            f"Draw a multiple of {groups}: --set samples={groups * math.ceil(samples / groups)}.",
        )
    return log_weights.reshape(samples // groups, groups, -1)


def _with_gradient(value: Tensor, draws: _Draws, direct: Tensor, along_z: Tensor) -> Tensor:
    """The `value` [B], whose gradient is another: of −Σₛ (direct + along_z), taken as follows.

    direct: [S, B], differentiated with respect to everything.
    along_z: [S, B], differentiated with respect to the drawn codes alone and through them the
        encoder, so that it corrects what `direct` sends that way. What computes it from the codes,
        the decoder, learns nothing from it.

    The codes' part is taken here and now, by one more walk back through the decoder; that is exact
    even where the decoder mixes the codes of a batch, as batch normalisation does.
    """
    if not direct.requires_grad:
        return value
    carrier = direct
    if draws.z.requires_grad:
        (slope,) = torch.autograd.grad(along_z.sum(), draws.z, retain_graph=True)
        step = (slope * draws.z).flatten(draws.z.dim() - draws.event).sum(-1)
        carrier = direct + step.reshape(direct.shape)
    carrier = -carrier.sum(0)
    return value.detach() + (carrier - carrier.detach())
