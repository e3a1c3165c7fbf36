"""Terms that match all codes together with the prior, by draws alone: no density is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import ForwardPass, Sizes, Term, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths.discrepancies import mean_discrepancy, sliced_wasserstein

Scale = Annotated[float, Within(1e-6, 1e6)]


class MaximumMeanDiscrepancy(Term):
    """MMD²(q(z), p(z)): 0 where the codes of all examples together follow the prior, [].

    The unbiased estimate between the codes of a batch and as many draws from the prior, at most 2;
    no nats. Kernels, averaged over `scales` r, with C = 2 d `scale`², the mean of ‖z − z′‖² under
    a prior of that standard deviation:
    "imq": rC / (rC + ‖z − z′‖²), which still pulls on codes that are far away.
    "rbf": exp(−‖z − z′‖² / rC).
    Source: [tolstikhin2018], algorithm 2; [zhao2019].

    Raises:
        RecipeError: there are no `scales`.
    """

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
        """[]."""
        return mean_discrepancy(*clouds(p, self.sizes), self._kernel).mean()

    def _kernel(self, squares: Tensor) -> Tensor:
        total = squares.new_zeros(())
        for r in self.scales:
            context = r * 2 * self.sizes.latent * self.scale**2
            total = total + (
                context / (context + squares)
                if self.kernel == "imq"
                else (-squares / context).exp()
            )
        return total / len(self.scales)


class SlicedWasserstein(Term):
    """SW₂²(q(z), p(z)): how far codes and prior are apart on random lines, squared, [].

    The mean over `projections` random directions of the squared 2-Wasserstein distance between the
    codes of a batch and as many draws from the prior, both projected; in squared units of the
    code, not nats. Draws of one distribution have a distance too, which falls with the batch.
    Source: [kolouri2019].
    """

    needs = frozenset({"prior"})
    formula = "SW₂²(q(z), p(z))"
    unit = ""

    def __init__(self, sizes: Sizes, projections: Width = 50) -> None:
        super().__init__(sizes)
        self.projections = projections

    def forward(self, p: ForwardPass) -> Tensor:
        """[]."""
        return sliced_wasserstein(*clouds(p, self.sizes), self.projections).mean()


def clouds(p: ForwardPass, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """The codes of a pass and as many draws from the prior, both [*S, B, d].

    Differentiable in the prior as well, where its draws are.
    """
    assert p.pz is not None  # `needs` was checked when the model was built
    lead = p.code.z.shape[: -len(sizes.z)]
    return p.code.z.reshape(*lead, -1), _draw(p.pz, lead).reshape(*lead, -1)


def _draw(pz: Distribution, lead: tuple[int, ...]) -> Tensor:
    """Draws [*lead, *Z]; the prior may have one distribution for each example."""
    shape = lead[: len(lead) - len(pz.batch_shape)]
    return pz.rsample(shape) if pz.has_rsample else pz.sample(shape)
