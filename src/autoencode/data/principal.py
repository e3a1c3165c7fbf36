"""Principal component analysis: the best linear reconstruction, a reference and a start."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autoencode.data.records import scaled
from autoencode.errors import DataError
from autoencode.maths import widen

# Examples in one batch, and the largest number of values in it.
BATCH_SIZE, MAX_BATCH_VALUES = 2048, 2**24
# Values in the examples that the components are fitted to: all of MNIST, 21,845 of CIFAR-10.
MAX_VALUES = 2**26
# Up to so many values of an example the components are exact.
MAX_EXACT = 1024
# Of the randomised singular value decomposition [halko2011].
OVERSAMPLES, POWER_ITERATIONS = 10, 4
SEED = 0


@dataclass(frozen=True)
class PrincipalAxes:
    """The principal components of training examples.

    mean: [D], float64.   axes: orthonormal, [d, D], float64.
    examples: the number of examples that they were fitted to.
    variances: of the examples along each axis, [d], float64, largest first.
    total: the variance of the examples, summed over their values.
    """

    mean: Tensor
    axes: Tensor
    examples: int
    variances: Tensor
    total: float

    def reconstruct(self, x: Tensor) -> Tensor:
        """Projects examples [N, *X] onto the components: [N, *X], float64.

        Missing values, NaN, are replaced by the mean before.
        """
        centred = _centred(x, self.mean)
        found: Tensor = self.mean + (centred @ self.axes.T) @ self.axes
        return found.reshape(x.shape)


def principal_axes(x: Tensor, d: int) -> PrincipalAxes:
    """The first d principal components of examples [N, *X], uint8, or float with NaN for missing.

    d is at most N − 1 and the number of values of an example. They are fitted to at most 2²⁶
    values: of more, to examples that are evenly spread. They are exact for examples of up to 1,024
    values, by the eigenvectors of the covariance, else by a randomised singular value
    decomposition with a fixed seed.  Source: [halko2011].

    Raises:
        DataError: no examples, or integers other than uint8.
    """
    if not len(x):
        raise DataError("Principal components need a training example, and there are none")
    values = max(1, math.prod(x.shape[1:]))
    n = min(len(x), max(1, MAX_VALUES // values))
    if n < len(x):
        x = x[torch.arange(n) * len(x) // n]
    mean, count = mean_example(x).flatten().cpu(), min(d, n - 1, values)
    if count < 1:
        none = torch.zeros(0, values, dtype=torch.float64)
        return PrincipalAxes(mean, none, n, none[:, 0], 0.0)
    if values <= MAX_EXACT:
        scatter = torch.zeros(values, values, dtype=torch.float64)
        # Products of bytes are exact enough in float32, in half of the time.
        precision = torch.float64 if x.is_floating_point() else torch.float32
        for batch in _batches(x, BATCH_SIZE):
            centred = _centred(batch, mean).to(precision)
            scatter += centred.T @ centred
        found = torch.linalg.eigh(scatter)
        axes = found.eigenvectors.flip(1)[:, :count].T.contiguous()
        variances = found.eigenvalues.flip(0)[:count].clamp(min=0) / n
        return PrincipalAxes(mean, axes, n, variances, scatter.trace().item() / n)
    matrix = torch.cat([_centred(batch, mean).float() for batch in _batches(x, BATCH_SIZE)])
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would reach every device of the machine.
        torch.default_generator.manual_seed(SEED)
        q = min(count + OVERSAMPLES, *matrix.shape)
        _, singular, right = torch.svd_lowrank(matrix, q, niter=POWER_ITERATIONS)
    axes, variances = right[:, :count].T.double().contiguous(), singular[:count].double().square()
    total = matrix.square().sum(dtype=torch.float64).item()
    return PrincipalAxes(mean, axes, n, variances / n, total / n)


def mean_example(x: Tensor, batch_size: int = BATCH_SIZE) -> Tensor:
    """The mean of examples [N, *X], without missing values: [*X], float64.

    0 for a value that is missing in every example. In batches, so that no float copy of all is
    made.
    """
    total, present = torch.zeros(x.shape[1:], dtype=torch.float64), torch.zeros(x.shape[1:])
    for batch in _batches(x, batch_size):
        values = _floats(batch)
        total += values.nansum(0, dtype=torch.float64).cpu()
        present += (~values.isnan()).sum(0).cpu()
    return total / present.clamp(min=1)


def _batches(x: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Examples [N, *X] in batches of at most `batch_size`, or less for large examples."""
    values = max(1, math.prod(x.shape[1:]))
    size = max(1, min(batch_size, MAX_BATCH_VALUES // values))
    batches: tuple[Tensor, ...] = x.split(size)  # type: ignore[no-untyped-call]  # as in torch
    return batches


def _centred(x: Tensor, mean: Tensor) -> Tensor:
    """Examples [N, *X] without their mean, [N, D], float64; 0 for missing values."""
    return (_floats(x).flatten(1).double().cpu() - mean).nan_to_num(0.0)


def _floats(x: Tensor) -> Tensor:
    """Examples as floats, at least float32.

    Raises:
        DataError: integers other than uint8.
    """
    values = widen(scaled(x))
    if not values.is_floating_point():
        raise DataError(f"Examples must be uint8 or floats, and these are {values.dtype}")
    return values
