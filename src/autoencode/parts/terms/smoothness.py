"""Penalties on the Jacobians of the encoder and the decoder."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.maths import squared_jacobian

Probes = Annotated[int, Within(1, 1_000)]


class Contractive(Term):
    """Contractive penalty ‖∂z/∂x‖²_F, the squared Jacobian of the encoder at its input, [B].

    z is the code of `encode`, for a VAE the posterior mean. Up to `exact_up_to` latent dimensions
    the derivatives are exact, with one backward pass per dimension. Above, they are estimated
    without bias from `probes` random directions, one backward pass each [hutchinson1989].

    Smaller codes with larger weights in the decoder reduce the penalty without any other change of
    the model; weight decay limits this. In training mode, dropout and batch normalisation are
    active as in any training pass, see `squared_jacobian`.
    Source: [rifai2011].
    """

    name = "contractive"
    formula = "‖∂z/∂x‖²"
    unit = ""

    def __init__(
        self,
        sizes: Sizes,
        exact_up_to: Annotated[int, Within(0, 10_000)] = 4,
        probes: Probes = 1,
    ) -> None:
        super().__init__(sizes)
        self.exact_up_to, self.probes = exact_up_to, probes

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]; it computes gradients in evaluation too."""
        exact = self.sizes.latent <= self.exact_up_to
        return squared_jacobian(
            lambda x: p.model.encode(x, p.context).z, p.inputs, None if exact else self.probes
        )


class DecoderSmooth(Term):
    """Squared Jacobian of the decoder, ‖∂E[x|z]/∂z‖²_F, at the codes of the batch, [*S, B].

    It is estimated without bias from `probes` random directions, one backward pass each
    [hutchinson1989]. The codes are treated as constants, so the encoder receives no gradient.
    Source: [ghosh2020] (RAE-GP).
    """

    name = "decoder-smooth"
    formula = "‖∂E[x|z]/∂z‖²"
    unit = ""

    def __init__(self, sizes: Sizes, probes: Probes = 1) -> None:
        super().__init__(sizes)
        self.probes = probes

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]; it computes gradients in evaluation too."""
        return squared_jacobian(
            lambda z: p.model.decode(z, p.context).mean,
            p.code.z,
            self.probes,
            batch_dims=p.code.z.dim() - len(self.sizes.z),
        )
