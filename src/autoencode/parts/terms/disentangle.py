"""Terms that penalise dependence between the latent dimensions."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.maths.sharding import own_rows, whole_batch
from autoencode.parts.terms.normals import normals_of

# Maximum number of densities in memory: codes × posteriors × latent dimensions.
MAX_DENSITIES = 2**23

Lambda = Annotated[float, Within(0.0, 1e9)]


class TotalCorrelation(Term):
    """Total correlation KL(q(z) ‖ ∏ᵢ q(zᵢ)), estimated from a batch (β-TCVAE), nats, [*S, B].

    q(z) is the mean posterior of all n training examples; a batch contains B of them. Estimators:
    "stratified": minibatch stratified sampling. The example's own posterior has weight 1/n, the
        others share the rest; the estimate of q(z) is unbiased.
    "weighted": minibatch weighted sampling. All posteriors have weight 1/(nB). The value is too
        large by at least (d − 1) ln(nB); the gradient has less noise.
    If n is unknown or smaller than the batch, B is used for it.
    Source: [chen2018].
    """

    name = "total-correlation"
    needs = frozenset({"posterior", "normal-posterior"})
    formula = "KL(q(z) ‖ ∏ᵢ q(zᵢ))"

    def __init__(
        self, sizes: Sizes, estimator: Literal["stratified", "weighted"] = "stratified"
    ) -> None:
        super().__init__(sizes)
        self.estimator = estimator

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        q = normals_of(p.code.q, "The posterior")
        mean, scale = (whole_batch(each.flatten(1)) for each in (q.loc, q.scale))
        batch, d = mean.shape
        lead = p.code.z.shape[: -len(self.sizes.z)]
        codes = p.code.z.reshape(-1, d)
        weights = own_rows(self._log_weights(mean))
        weights = weights.repeat(len(codes) // len(weights), 1)
        rows, found = max(1, MAX_DENSITIES // (batch * d)), []
        for start in range(0, len(codes), rows):
            z, w = codes[start : start + rows], weights[start : start + rows]
            densities = _log_normal(z[:, None], mean, scale)  # [rows, B, d]
            joint = (w + densities.sum(-1)).logsumexp(1)
            marginals = (w[..., None] + densities).logsumexp(1)
            found.append(joint - marginals.sum(-1))
        return torch.cat(found).reshape(lead)

    def _log_weights(self, like: Tensor) -> Tensor:
        """ln of the weight of posterior j in q(zᵢ), [B, B]."""
        batch = len(like)
        n, others = max(self.sizes.n, batch), batch - 1
        if self.estimator == "weighted":
            return like.new_full((batch, batch), -math.log(n * batch))
        if not others:
            return like.new_zeros(1, 1)
        weights = like.new_full((batch, batch), 1 / others)
        own = torch.arange(batch, device=like.device)
        # One other example takes the remaining weight, so that the weights sum to 1.
        weights[own, own.roll(-1)] = (n - others) / (n * others)
        weights[own, own] = 1 / n
        return weights.log()


class InferredPriorMatch(Term):
    """Squared difference between the covariance of the codes and the identity (DIP-VAE), [].

    λ_od Σᵢ≠ⱼ Covᵢⱼ² + λ_d Σᵢ (Covᵢᵢ − 1)² over the batch. Version 1 (DIP-VAE-I) uses the covariance
    of the posterior means, version 2 (DIP-VAE-II) that of the codes, which adds the mean posterior
    variance.  Source: [kumar2018].

    lambda_od, lambda_d: λ_od and λ_d, the weights off and on the diagonal.
    """

    name = "dip"
    needs = frozenset({"posterior", "normal-posterior"})
    formula = "λₒ Σᵢ≠ⱼ Covᵢⱼ² + λ_d Σᵢ (Covᵢᵢ − 1)²"
    unit = ""

    def __init__(
        self,
        sizes: Sizes,
        version: Annotated[int, Within(1, 2)] = 1,
        lambda_od: Lambda = 10.0,
        lambda_d: Lambda = 100.0,
    ) -> None:
        super().__init__(sizes)
        self.version, self.lambda_od, self.lambda_d = version, lambda_od, lambda_d

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        q = normals_of(p.code.q, "The posterior")
        mean = whole_batch(q.loc.flatten(1))
        variance = whole_batch(q.scale.flatten(1).square())
        centred = mean - mean.mean(0)
        with torch.autocast(mean.device.type, enabled=False):
            covariance = centred.T @ centred / len(mean)
        diagonal = covariance.diagonal()
        off = covariance.square().sum() - diagonal.square().sum()
        if self.version == 2:
            diagonal = diagonal + variance.mean(0)
        return self.lambda_od * off + self.lambda_d * (diagonal - 1).square().sum()


def _log_normal(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """ln N(z; mean, scale²), elementwise."""
    return -0.5 * ((z - mean) / scale).square() - scale.log() - 0.5 * math.log(2 * math.pi)
