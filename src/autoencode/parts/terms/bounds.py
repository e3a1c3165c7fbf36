"""Importance-weighted bounds on ln p(x); each replaces the reconstruction and the KL term."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.errors import RecipeError

Groups = Annotated[int, Within(1, 100_000)]


class ImportanceWeighted(Term):
    """IWAE bound on −ln p(x): −ln of the mean importance weight of S samples, [B].

    −ln 1/S Σₛ wₛ with wₛ = p(x|zₛ) p(zₛ|c) / q(zₛ|x). The bound converges to −ln p(x) for large S;
    S = 1, or a code without samples, gives the negative ELBO.  Source: [burda2016].
    """

    name = "iwae"
    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−ln 1/S Σₛ p(x|zₛ) p(zₛ) / q(zₛ|x)"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        return -_log_mean_exp(_samples(p).log_weights)


class DoublyReparametrised(Term):
    """IWAE bound with the doubly reparametrised gradient estimator for the encoder, [B].

    The signal-to-noise ratio of the encoder's standard gradient falls with S, because the density
    q(zₛ|x) is differentiated with respect to the encoder's parameters φ. A second reparametrisation
    gives the same expected gradient with less variance, Σₛ w̃ₛ² ∂ ln wₛ/∂zₛ · ∂zₛ/∂φ with
    w̃ₛ = wₛ / Σ w. Decoder and prior receive the standard gradient. The value is that of
    `ImportanceWeighted`.  Source: [tucker2019].
    """

    name = "iwae-dreg"

    # Flow posteriors cache the base sample of z, so that ∂ ln q/∂z is not available.
    needs = frozenset({"posterior", "prior", "samples", "normal-posterior"})
    formula = "−ln 1/S Σₛ p(x|zₛ) p(zₛ) / q(zₛ|x), encoder reparametrised twice"
    has_likelihood = True

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        samples = _samples(p)
        value = -_log_mean_exp(samples.log_weights)
        shares = samples.log_weights.detach().softmax(0)
        encoder = shares.square()
        along_z = (encoder - shares) * samples.joint - encoder * samples.posterior
        return _with_gradient(value, samples, shares * samples.joint, along_z)


class MultiplyImportanceWeighted(Term):
    """MIWAE bound: the mean of the IWAE bounds of M groups of samples, [B].

    −1/M Σₘ ln 1/K Σₖ wₘₖ with M = `groups` and K = S / M. It is looser than the IWAE bound of all S
    samples, and the encoder's gradient has less noise. A code without samples counts as S = M = 1.
    Source: [rainforth2018].

    Raises:
        RecipeError: the number of samples is not a multiple of `groups`.
    """

    name = "miwae"
    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−1/M Σₘ ln 1/K Σₖ p(x|zₘₖ) p(zₘₖ) / q(zₘₖ|x)"
    has_likelihood = True

    def __init__(self, sizes: Sizes, groups: Groups = 2) -> None:
        super().__init__(sizes)
        self.groups = groups

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        return -_log_mean_exp(_grouped(_samples(p).log_weights, self.groups)).mean(0)


class PartiallyImportanceWeighted(MultiplyImportanceWeighted):
    """PIWAE: decoder and prior are trained by the IWAE bound, the encoder by MIWAE, [B].

    A tighter bound improves the decoder's gradient and adds noise to the encoder's. The value is
    the IWAE bound of all S samples. The encoder's gradient is that of the MIWAE bound with `groups`
    groups. A code without samples counts as S = 1.  Source: [rainforth2018].

    Raises:
        RecipeError: the number of samples is not a multiple of `groups`.
    """

    name = "piwae"
    formula = "decoder: IWAE, encoder: MIWAE"

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        samples = _samples(p)
        value = -_log_mean_exp(samples.log_weights)
        log_weights = samples.log_weights.detach()
        grouped = _grouped(log_weights, self.groups)
        # Both gradients are sums of ∇ ln wₛ with these weights.
        decoder = log_weights.softmax(0)
        encoder = (grouped.softmax(0) / grouped.shape[1]).reshape(log_weights.shape)
        direct = decoder * samples.joint - encoder * samples.posterior
        return _with_gradient(value, samples, direct, (encoder - decoder) * samples.joint)


class CombinationImportanceWeighted(Term):
    """CIWAE bound: a convex combination of the ELBO and the IWAE bound of the same samples, [B].

    −β · 1/S Σₛ ln wₛ − (1 − β) · ln 1/S Σₛ wₛ with β = `elbo_share`: 0 is IWAE, 1 is the VAE with
    S samples per example.  Source: [rainforth2018].
    """

    name = "ciwae"
    needs = frozenset({"posterior", "prior", "samples"})
    formula = "−β 1/S Σₛ ln wₛ − (1−β) ln 1/S Σₛ wₛ,  wₛ = p(x|zₛ) p(zₛ) / q(zₛ|x)"
    has_likelihood = True

    def __init__(self, sizes: Sizes, elbo_share: Annotated[float, Within(0.0, 1.0)] = 0.5) -> None:
        super().__init__(sizes)
        self.elbo_share = elbo_share

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        log_weights = _samples(p).log_weights
        elbo, iwae = log_weights.mean(0), _log_mean_exp(log_weights)
        return -self.elbo_share * elbo - (1 - self.elbo_share) * iwae


class _Samples(NamedTuple):
    """The sampled codes of a batch and their log-densities.

    z: the samples, [S, B, *Z] or [B, *Z].   event: number of dimensions of *Z.
    joint: ln p(x|z) + ln p(z|c), [S, B].    posterior: ln q(z|x), [S, B].
    """

    z: Tensor
    event: int
    joint: Tensor
    posterior: Tensor

    @property
    def log_weights(self) -> Tensor:
        """ln w = ln p(x|z) + ln p(z|c) − ln q(z|x), [S, B]."""
        return self.joint - self.posterior


def _samples(p: ForwardPass) -> _Samples:
    assert p.code.q is not None  # `needs` was checked when the model was built
    assert p.pz is not None
    z = p.code.z
    joint, posterior = p.px.log_prob(p.x) + p.pz.log_prob(z), p.code.q.log_prob(z)
    shape = (-1, joint.shape[-1])
    event = len(p.code.q.event_shape)
    return _Samples(z, event, joint.reshape(shape), posterior.reshape(shape))


def _log_mean_exp(log_weights: Tensor) -> Tensor:
    """ln of the mean of exp over the first dimension."""
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def _grouped(log_weights: Tensor, groups: int) -> Tensor:
    """[S, B] to [K, M, B]; a single sample forms one group.

    Raises:
        RecipeError: S is not a multiple of M.
    """
    count = len(log_weights)
    if count == 1:
        groups = 1
    if count % groups:
        raise RecipeError(
            f"{count} samples cannot be divided into {groups} groups of equal size",
            f"Use a multiple of {groups}: --set samples={groups * math.ceil(count / groups)}.",
        )
    return log_weights.reshape(count // groups, groups, -1)


def _with_gradient(value: Tensor, samples: _Samples, direct: Tensor, along_z: Tensor) -> Tensor:
    """Returns `value` [B] with the gradient of −Σₛ (direct + along_z) instead of its own.

    direct: [S, B], differentiated with respect to all parameters.
    along_z: [S, B], differentiated with respect to the sampled codes only, and through them with
        respect to the encoder. The decoder receives no gradient from it.

    The gradient with respect to the codes is computed here by an additional backward pass through
    the decoder. It is exact even if the decoder couples the codes of a batch, as batch
    normalisation does.
    """
    if not direct.requires_grad:
        return value
    carrier = direct
    if samples.z.requires_grad:
        (slope,) = torch.autograd.grad(along_z.sum(), samples.z, retain_graph=True)
        step = (slope * samples.z).flatten(samples.z.dim() - samples.event).sum(-1)
        carrier = direct + step.reshape(direct.shape)
    carrier = -carrier.sum(0)
    return value.detach() + (carrier - carrier.detach())
