"""A plane through latent space, for plots of codes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.errors import AutoencodeError


@dataclass(frozen=True)
class Plane:
    """A plane in ℝᵈ with two coordinates; codes are flattened, [N, d].

    origin: the code at (0, 0), [d].   axes: two orthonormal directions, [2, d].
    share: the fraction of the codes' variance along each axis.
    complete: whether the plane is the entire latent space (d = 2) and projection loses nothing.
    """

    origin: Float[Tensor, " d"]
    axes: Float[Tensor, "2 d"]
    share: tuple[float, float]
    complete: bool

    def project(self, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n 2"]:
        """Coordinates of the projections of codes on the plane."""
        return (codes - self.origin) @ self.axes.T

    def lift(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """The codes at points of the plane; `project` is its inverse."""
        return self.origin + points @ self.axes


def code_plane(codes: Float[Tensor, "n d"]) -> Plane:
    """The plane of the first two principal components of codes; for d = 2 the latent space itself.

    The sign of an axis is chosen so that its largest component is positive, which makes plots
    reproducible.

    Raises:
        AutoencodeError: codes have fewer than two dimensions.
    """
    n, d = codes.shape
    if d < 2:
        raise AutoencodeError(f"A plane needs two or more latent dimensions, and codes have {d}")
    centre = codes.double().mean(0)
    centred = codes.double() - centre
    covariance = centred.T @ centred / n
    total = covariance.trace().clamp_min(torch.finfo(torch.float64).tiny)
    if d == 2:
        share = (covariance.diagonal() / total).tolist()
        return Plane(torch.zeros_like(codes[0]), torch.eye(2).to(codes), (share[0], share[1]), True)
    variances, directions = torch.linalg.eigh(covariance)
    axes = directions.T[-2:].flip(0)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    share = (variances[-2:].flip(0).clamp_min(0) / total).tolist()
    return Plane(centre.to(codes), (axes * largest.sign()).to(codes), (share[0], share[1]), False)
