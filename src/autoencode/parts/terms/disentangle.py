"""Terms that ask the numbers of a code to vary independently of each other."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.parts.terms.normals import normals_of

# Densities held at once: code by posterior by number of the code.
MAX_DENSITIES = 2**23

Lambda = Annotated[float, Within(0.0, 1e9)]


class TotalCorrelation(Term):
    """KL(q(z) ‖ ∏ᵢ q(zᵢ)): what the numbers of a code tell of each other, [*S, B].

    q(z) is the mean posterior of all n training examples, of which a batch shows B. Estimators:
    "stratified": the example's own posterior counts 1/n, the others share the rest; unbiased for
        q(z), and the value means nats.
    "weighted": all posteriors of the batch count 1/(nB). The value is larger by a constant,
        (d − 1) ln(nB), and more; the gradient has less noise.
    Where n is not known, or smaller than the batch, it counts as B.
    Source: [chen2018].
    """

    needs = frozenset({"posterior", "normal-posterior"})
    formula = "KL(q(z) ‖ ∏ᵢ q(zᵢ))"

    def __init__(
        self, sizes: Sizes, estimator: Literal["stratified", "weighted"] = "stratified"
    ) -> None:
        super().__init__(sizes)
        self.estimator = estimator

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        q = normals_of(p.code.q, "The posterior")
        mean, scale = q.loc.flatten(1), q.scale.flatten(1)
        batch, d = mean.shape
        lead = p.code.z.shape[: -len(self.sizes.z)]
        codes = p.code.z.reshape(-1, d)
        weights = self._log_weights(mean).repeat(len(codes) // batch, 1)
        rows, found = max(1, MAX_DENSITIES // (batch * d)), []
        for start in range(0, len(codes), rows):
            z, w = codes[start : start + rows], weights[start : start + rows]
            densities = _log_normal(z[:, None], mean, scale)  # [rows, B, d]
            joint = (w + densities.sum(-1)).logsumexp(1)
            marginals = (w[..., None] + densities).logsumexp(1)
            found.append(joint - marginals.sum(-1))
        return torch.cat(found).reshape(lead)

    def _log_weights(self, like: Tensor) -> Tensor:
        """ln of how much posterior j counts in q(zᵢ), [B, B]."""
        batch = len(like)
        n, others = max(self.sizes.n, batch), batch - 1
        if self.estimator == "weighted":
            return like.new_full((batch, batch), -math.log(n * batch))
        if not others:
            return like.new_zeros(1, 1)
        weights = like.new_full((batch, batch), 1 / others)
        one = torch.arange(batch, device=like.device)
        # One other example, whichever, stands in for what the own posterior counts too little.
        weights[one, one.roll(-1)] = (n - others) / (n * others)
        weights[one, one] = 1 / n
        return weights.log()


class InferredPriorMatch(Term):
    """How far the codes' covariance is from the unit matrix (DIP-VAE), [].

    λ_od Σᵢ≠ⱼ Covᵢⱼ² + λ_d Σᵢ (Covᵢᵢ − 1)², over the batch. The covariance is that of the posterior
    means, or in version 2 that of the codes: with the mean posterior variance added. In squared
    units of the code, not nats.  Source: [kumar2018].

    lambda_od, lambda_d: λ_od and λ_d, off and on the diagonal.
    """

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
        """[]."""
        q = normals_of(p.code.q, "The posterior")
        mean, variance = q.loc.flatten(1), q.scale.flatten(1).square()
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
