"""Paths and grids in latent space: interpolation, lattice, traversal of one dimension."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from autoencode.contract import Space
from autoencode.errors import AutoencodeError


def interpolate(z_1: Tensor, z_2: Tensor, n: int, space: Space) -> Tensor:
    """`n` codes at equal steps from `z_1` to `z_2`, both included: [*Z], [*Z] -> [n, *Z].

    In REAL and BOX the path is a straight line. On SPHERE it is the shorter arc of the great
    circle; between opposite points it is one of the shortest arcs, always the same.

    Raises:
        AutoencodeError: n < 2, codes of different shapes, or a space without interpolation.
    """
    if n < 2:
        raise AutoencodeError(
            f"A path has at least its two ends, and n is {n}", "Give n of 2 or more"
        )
    if z_1.shape != z_2.shape:
        raise AutoencodeError(
            f"A path joins two codes of one shape, and these are {list(z_1.shape)} and "
            f"{list(z_2.shape)}"
        )
    if space is Space.CODES:
        raise AutoencodeError(
            "There is no way between entries of a code book: nothing lies between them"
        )
    if not z_1.is_floating_point():
        z_1, z_2 = z_1.float(), z_2.float()
    t = torch.linspace(0, 1, n, dtype=z_1.dtype, device=z_1.device).view(-1, *[1] * z_1.dim())
    if space is Space.SPHERE:
        return _arc(z_1.flatten(), z_2.flatten(), t.view(n, 1)).view(n, *z_1.shape)
    return torch.lerp(z_1, z_2, t)


def _arc(a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Tensor) -> Float[Tensor, "n d"]:
    """cos(tθ)·a + sin(tθ)·u, where u is the direction at a that leads to b."""
    a, b = normalize(a, dim=0), normalize(b, dim=0)
    along = a @ b
    towards = b - along * a
    # atan2 is precise for all angles; acos(a·b) loses half the digits near 0 and π.
    angle = torch.atan2(towards.norm(), along)
    if towards.norm() <= 8 * torch.finfo(a.dtype).eps:
        # Identical or opposite points: any orthogonal direction gives a shortest arc.
        if a.numel() == 1 and along < 0:
            raise AutoencodeError("The sphere in one dimension is two points: no way joins them")
        axis = torch.zeros_like(a)
        axis[a.abs().argmin()] = 1.0
        towards = axis - (axis @ a) * a
    u = normalize(towards, dim=0)
    return (t * angle).cos() * a + (t * angle).sin() * u


def lattice(low: Sequence[float], high: Sequence[float], n: int) -> Float[Tensor, "n_squared 2"]:
    """An n × n grid of points over a rectangle, its corners included, in reading order.

    `low` and `high` are its corners (x, y). Row 0 is the top, so that images laid out row by row
    lie where their codes lie in a drawing with y upwards.

    >>> lattice((0, 0), (1, 2), 2).tolist()
    [[0.0, 2.0], [1.0, 2.0], [0.0, 0.0], [1.0, 0.0]]

    Raises:
        AutoencodeError: fewer than one row.
    """
    if n < 1:
        raise AutoencodeError(f"A grid has at least one row, and n is {n}")
    x = torch.linspace(float(low[0]), float(high[0]), n)
    y = torch.linspace(float(high[1]), float(low[1]), n)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((columns, rows), -1).reshape(n * n, 2)


def traverse(z: Tensor, dimension: int, values: Sequence[float] | Tensor) -> Tensor:
    """Copies of one code that differ in one number: [*Z] -> [len(values), *Z].

    `dimension` counts through the code's numbers in order, from 0.

    >>> traverse(torch.zeros(3), 1, [-1, 1]).tolist()
    [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]

    Raises:
        AutoencodeError: the code has no such dimension.
    """
    if not 0 <= dimension < z.numel():
        raise AutoencodeError(
            f"A code of {z.numel()} numbers has no dimension {dimension}",
            f"Give one from 0 to {z.numel() - 1}.",
        )
    steps = torch.as_tensor(values, dtype=z.dtype, device=z.device)
    codes = z.flatten().repeat(len(steps), 1)
    codes[:, dimension] = steps
    return codes.view(len(steps), *z.shape)
