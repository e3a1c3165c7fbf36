"""Samplers: a normal distribution and a mixture of normals."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    MixtureSameFamily,
    MultivariateNormal,
)

from autoencode.contract import Sizes, Within
from autoencode.maths import fit_gaussian_mixture
from autoencode.parts.samplers.fitted import ContinuousSampler

# Added to the variances of standardised codes, so that degenerate codes have a density too.
RIDGE = 1e-6
# A mixture is fitted to at most this number of codes.
MAX_CODES = 20_000


def _identity(d: int) -> Tensor:
    """The identity matrix, [d, d].

    On the device "meta", where weights are counted, `torch.eye` first imports for a second.
    """
    return torch.zeros(d, d).fill_diagonal_(1)


class FullNormal(ContinuousSampler):
    """N(μ, Σ) with the mean and the full covariance of the codes.  Source: [ghosh2020]."""

    name = "normal"

    cholesky: Tensor  # the Cholesky factor of standardised codes, [latent, latent]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("cholesky", _identity(sizes.latent))

    def fit_standardised(self, z: Tensor, seed: int) -> None:
        """Computes the covariance; the seed is not used."""
        covariance = torch.cov(z.cpu().double().T).reshape(z.shape[1], z.shape[1])
        ridge = RIDGE * torch.eye(len(covariance), dtype=covariance.dtype)
        self.cholesky.copy_(torch.linalg.cholesky(covariance + ridge))

    def standardised(self) -> Distribution:
        """Event [latent]."""
        origin = torch.zeros_like(self.mean)
        return MultivariateNormal(origin, scale_tril=self.cholesky, validate_args=False)


class Mixture(ContinuousSampler):
    """Mixture of normals, Σₖ πₖ N(μₖ, Σₖ), with full covariances, fitted by the EM algorithm.

    It turns an autoencoder without a prior into a generative model.
    components: number of normals.   Source: [ghosh2020].
    """

    name = "mixture"

    weights: Tensor  # πₖ, [components]
    centres: Tensor  # of standardised codes, [components, latent]
    choleskys: Tensor  # Cholesky factors, [components, latent, latent]

    def __init__(self, sizes: Sizes, components: Annotated[int, Within(1, 1000)] = 10) -> None:
        super().__init__(sizes)
        self.components, self.min_codes = components, max(2, components)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("centres", torch.zeros(components, sizes.latent))
        self.register_buffer("choleskys", _identity(sizes.latent).repeat(components, 1, 1))

    def fit_standardised(self, z: Tensor, seed: int) -> None:
        """Fits the mixture to at most 20,000 of the codes."""
        order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
        chosen = z.cpu()[order[:MAX_CODES]]
        mixture = fit_gaussian_mixture(chosen, self.components, seed, reg_covar=RIDGE, max_iter=200)
        self.weights.copy_(torch.from_numpy(mixture.weights_))
        self.centres.copy_(torch.from_numpy(mixture.means_))
        self.choleskys.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))

    def standardised(self) -> Distribution:
        """Event [latent]."""
        return MixtureSameFamily(
            Categorical(self.weights, validate_args=False),
            MultivariateNormal(self.centres, scale_tril=self.choleskys, validate_args=False),
            validate_args=False,
        )
