"""Terms that match the aggregate posterior to the prior by comparing samples."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import ForwardPass, Sizes, Term, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths.discrepancies import mean_discrepancy, sliced_wasserstein
from autoencode.maths.sharding import batch_noise, whole_batch

Scale = Annotated[float, Within(1e-6, 1e6)]


class MaximumMeanDiscrepancy(Term):
    """Squared maximum mean discrepancy MMD²(q(z), p(z)) between codes and prior, [].

    The unbiased estimate from the codes of a batch and the same number of prior samples; its mean
    is 0 if the two distributions are equal, and it is at most 2. The kernel is averaged over
    `scales` r. C = 2 d `scale`² is the mean of ‖z − z′‖² under a prior of that standard deviation:
    "imq": rC / (rC + ‖z − z′‖²), whose gradient decays slowly with the distance.
    "rbf": exp(−‖z − z′‖² / rC).
    Source: [tolstikhin2018], algorithm 2; [zhao2019].

    Raises:
        RecipeError: `scales` is empty.
    """

    name = "mmd"
    needs = frozenset({"prior"})
    formula = "MMD²(q(z), p(z))"
    unit = ""

    def __init__(
        self,
        sizes: Sizes,
        kernel: Literal["imq", "rbf"] = "imq",
        scales: tuple[Scale, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
        scale: Scale = 1.0,
    ) -> None:
        super().__init__(sizes)
        if not scales:
            raise RecipeError("A kernel needs at least one scale", "For example: scales=[1.0].")
        self.kernel, self.scales, self.scale = kernel, scales, scale

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        codes, prior = (whole_batch(z, -2) for z in codes_and_prior_samples(p, self.sizes))
        return mean_discrepancy(codes, prior, self._kernel).mean()

    def _kernel(self, squares: Tensor) -> Tensor:
        total = squares.new_zeros(())
        for r in self.scales:
            width = r * 2 * self.sizes.latent * self.scale**2
            imq = self.kernel == "imq"
            total = total + (width / (width + squares) if imq else (-squares / width).exp())
        return total / len(self.scales)


class SlicedWasserstein(Term):
    """Squared sliced 2-Wasserstein distance SW₂²(q(z), p(z)) between codes and prior, [].

    The mean over `projections` random directions of the squared 2-Wasserstein distance between the
    projections of the codes of a batch and of the same number of prior samples. The estimate is
    positive even for equal distributions; it falls with the batch size.
    Source: [kolouri2019].
    """

    name = "sliced-wasserstein"
    needs = frozenset({"prior"})
    formula = "SW₂²(q(z), p(z))"
    unit = ""

    def __init__(self, sizes: Sizes, projections: Width = 50) -> None:
        super().__init__(sizes)
        self.projections = projections

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        codes, prior = (whole_batch(z, -2) for z in codes_and_prior_samples(p, self.sizes))
        return sliced_wasserstein(codes, prior, self.projections).mean()


def codes_and_prior_samples(p: ForwardPass, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """The codes of a pass and the same number of prior samples, both [*S, B, d].

    The samples are differentiable in the parameters of the prior if it has `rsample`.
    """
    assert p.pz is not None  # `needs` was checked when the model was built
    lead = p.code.z.shape[: -len(sizes.z)]
    return p.code.z.reshape(*lead, -1), _sample(p.pz, lead).reshape(*lead, -1)


def _sample(pz: Distribution, lead: tuple[int, ...]) -> Tensor:
    """Samples [*lead, *Z]; a conditional prior has one distribution per example."""
    draw = pz.rsample if pz.has_rsample else pz.sample
    if pz.batch_shape:
        return draw(torch.Size(lead[: len(lead) - len(pz.batch_shape)]))
    return batch_noise(lambda shape: draw(torch.Size(shape)), lead, len(lead) - 1)
