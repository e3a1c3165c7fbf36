"""What keeps encoder and decoder from answering too sharply."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.maths import squared_jacobian

Probes = Annotated[int, Within(1, 1_000)]


class Contractive(Term):
    """‖∂z/∂x‖²_F at what the encoder was shown, [B]: how far codes move when pixels do.

    z is the code that `encode` gives, a posterior's mean. The derivatives are exact, one backward
    pass for each number of the code, up to `exact_up_to` numbers. Above that they are estimated
    without bias from `probes` random directions, one backward pass each [hutchinson1989].

    Where codes may take any size, halving them and doubling the decoder's first layer quarters
    the term for nothing; weight decay beside it sets a price on that. In training, dropout and
    batch normalisation are as in any other pass, see `squared_jacobian`.
    Source: [rifai2011].
    """

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
        """[B]; in evaluation too, where nobody else needs gradients."""

        def codes(x: Tensor) -> Tensor:
            z = p.model.encode(x, p.context).z
            # In evaluation `encode` builds no gradients; calling the model does.
            return z if z.requires_grad else p.model.forward(x, p.context).codes

        exact = self.sizes.latent <= self.exact_up_to
        return squared_jacobian(codes, p.inputs, None if exact else self.probes)


class DecoderSmooth(Term):
    """‖∂E[x|z]/∂z‖²_F at the batch's codes, [*S, B]: how far images move when codes do.

    Estimated without bias from `probes` random directions, one backward pass each
    [hutchinson1989]. Only the decoder pays: the codes count as given.
    Source: [ghosh2020] (RAE-GP).
    """

    formula = "‖∂E[x|z]/∂z‖²"
    unit = ""

    def __init__(self, sizes: Sizes, probes: Probes = 1) -> None:
        super().__init__(sizes)
        self.probes = probes

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]; in evaluation too, where nobody else needs gradients."""
        return squared_jacobian(
            lambda z: p.model.decode(z, p.context).mean,
            p.code.z,
            self.probes,
            batch_dims=p.code.z.dim() - len(self.sizes.z),
        )
