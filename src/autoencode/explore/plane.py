"""A plane through latent space: to look at codes of any size, and to come back to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.errors import AutoencodeError


@dataclass(frozen=True)
class Plane:
    """A plane in ℝᵈ with a pair of coordinates; codes are flat here, [N, d].

    origin: the code at (0, 0), [d].   axes: two orthonormal directions, [2, d].
    share: the fraction of the codes' variance along each axis.
    complete: whether the plane is the entire latent space (d = 2) and projection loses nothing.
    """

    origin: Float[Tensor, " d"]
    axes: Float[Tensor, "2 d"]
    share: tuple[float, float]
    complete: bool

    def project(self, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n 2"]:
        """Where codes fall on the plane."""
        return (codes - self.origin) @ self.axes.T

    def lift(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n d"]:
        """The codes at points of the plane; `project` of them gives the points back."""
        return self.origin + points @ self.axes


def code_plane(codes: Float[Tensor, "n d"]) -> Plane:
    """The plane to look at codes on: theirs when d = 2, else that of their principal components.

    An axis points to the side where its largest number is positive, so that the same codes give
    the same picture on every machine.

    Raises:
        AutoencodeError: the codes have fewer than two numbers, so there is no plane.
    """
    n, d = codes.shape
    if d < 2:
        raise AutoencodeError(f"Codes of {d} number have no plane")
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
