"""A normal distribution and a mixture of them."""

from __future__ import annotations

import warnings
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
from autoencode.parts.samplers.fitted import ContinuousSampler

# Added to the variance of every standardised number, so that a plane of codes has a density too.
RIDGE = 1e-6
# A mixture's parameters settle long before it has seen as many codes as this.
ENOUGH = 20_000


class FullNormal(ContinuousSampler):
    """N(μ, Σ) with the mean and the whole covariance of the codes.  Source: [ghosh2020]."""

    triangle: Tensor  # the Cholesky factor of standardised codes, [latent, latent]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("triangle", torch.eye(sizes.latent))

    def learn_standard(self, z: Tensor, seed: int) -> None:
        """Takes the covariance; nothing is random."""
        covariance = torch.cov(z.cpu().double().T).reshape(z.shape[1], z.shape[1])
        ridge = RIDGE * torch.eye(len(covariance), dtype=covariance.dtype)
        self.triangle.copy_(torch.linalg.cholesky(covariance + ridge))

    def standard(self) -> Distribution:
        """Event [latent]."""
        origin = torch.zeros_like(self.mean)
        return MultivariateNormal(origin, scale_tril=self.triangle, validate_args=False)


class Mixture(ContinuousSampler):
    """Σₖ πₖ N(μₖ, Σₖ) with whole covariances, fitted by expectation and maximisation.

    It makes a good generator of a plain autoencoder, whose codes follow no prior.
    components: how many normals.   Source: [ghosh2020].
    """

    weights: Tensor  # πₖ, [components]
    centres: Tensor  # of standardised codes, [components, latent]
    triangles: Tensor  # Cholesky factors, [components, latent, latent]

    def __init__(self, sizes: Sizes, components: Annotated[int, Within(1, 1000)] = 10) -> None:
        super().__init__(sizes)
        self.components, self.least = components, max(2, components)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("centres", torch.zeros(components, sizes.latent))
        self.register_buffer("triangles", torch.eye(sizes.latent).repeat(components, 1, 1))

    def learn_standard(self, z: Tensor, seed: int) -> None:
        """Fits the mixture to at most 20,000 of the codes."""
        from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
        from sklearn.mixture import GaussianMixture  # type: ignore[import-untyped]

        order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
        chosen = z.cpu()[order[:ENOUGH]].double().numpy()
        mixture = GaussianMixture(
            self.components, reg_covar=RIDGE, random_state=seed % 2**32, max_iter=200
        )
        with warnings.catch_warnings():
            # The last rounds of a slow fit change nothing that a picture shows.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(chosen)
        self.weights.copy_(torch.from_numpy(mixture.weights_))
        self.centres.copy_(torch.from_numpy(mixture.means_))
        self.triangles.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))

    def standard(self) -> Distribution:
        """Event [latent]."""
        return MixtureSameFamily(
            Categorical(self.weights, validate_args=False),
            MultivariateNormal(self.centres, scale_tril=self.triangles, validate_args=False),
            validate_args=False,
        )
