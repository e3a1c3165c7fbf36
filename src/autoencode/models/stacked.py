"""M1+M2: semi-supervised learning on the codes of a VAE, both trained in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from autoencode.contract import Code, ForwardPass, Likelihood, ModelOutput, Sizes, Width
from autoencode.maths import widen
from autoencode.models.assemble import assemble
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe, Spec
from autoencode.models.semisupervised import BOUND, Alpha, SemiSupervised
from autoencode.parts.networks.layers import Norm


class StackedSemiSupervised(LabelModel):
    """M1+M2: M2 on the codes z₁ of a VAE, M1, both trained in one run.

    The objective is M1's bound of x, in the recipe's terms, and M2's of z₁ ~ q(z₁|x), which moves
    M2 alone: no gradient reaches M1 through z₁, as if M1 had been trained first. M2's costs are
    named "code-reconstruction" (−ln p(z₁|y, z₂), a density's), "code-kl", "label-kl" and
    "classification". The model's code is z₂, and images are p(x|z₁) at z₁ = E[z₁|y, z₂].

    The recipe's slots make M1; M2, the `core`, is made of dense layers. Labels as in
    `SemiSupervised`.
    Source: [kingma2014semi].
    """

    cost_units: ClassVar[Mapping[str, str]] = {
        **LabelModel.cost_units,
        "code-reconstruction": "nats",
        "code-kl": "nats",
    }
    core: SemiSupervised

    def __init__(
        self,
        recipe: Recipe,
        sizes: Sizes,
        features: Width = 50,
        hidden: tuple[Width, ...] = (256,),
        norm: Norm = "batch",
        alpha: Alpha = 1.0,
    ) -> None:
        """Two models, one on the other.

        features: numbers in z₁.  hidden, norm: M2's layers.  alpha: as `SemiSupervised`.
        """
        super().__init__()
        self.recipe, self.sizes = recipe, sizes
        below = recipe.but(context=None, sampler=None, schedules={})
        self.m1 = assemble(below, replace(sizes, z=(features,), context=0))
        above = recipe.but(
            network=Spec("mlp", {"hidden": hidden, "norm": norm}),
            likelihood=Spec("gaussian", {"mean": "identity"}),
            corruption=None,
            samples=None,
            schedules={},
        )
        self.core = SemiSupervised(above, replace(sizes, x=(features,)), alpha)
        # A part that only this model has a use for, so the table does not name it.
        self.core.core.decoder.likelihood = ScaledNormal(self.core.sizes)
        self.space = self.core.space

    def predict_proba(self, x: Tensor) -> Tensor:
        """q(y|z₁) at the mean of q(z₁|x), of examples [B, *X]: [B, K]."""
        return self.core.predict_proba(self.m1.encode(x).z)

    def codes(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Images [B, *X] to codes z₂ [B, *Z], a posterior's mean."""
        return self.core.codes(self.m1.encoder(x), context)

    def encode(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """See `Autoencoder.encode`: q(z₂|z₁, y) at the mean of q(z₁|x)."""
        return self.core.encode(self.m1.encode(x).z, context, samples)

    def decode(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `Autoencoder.decode`; an unknown label makes p(x|z₂) a mixture over all classes."""
        return self.core.over_labels(self._images, z, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """See `Autoencoder.forward`; an unknown label is the likeliest."""
        codes, z = self.core.forward(self.m1.encoder(x), context)
        return ModelOutput(codes, self.m1.decoder(z).reshape(x.shape))

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`: that of M1 (its code is z₁), with the costs of both."""
        p = self.m1.forward_pass(x)
        z = p.code.z.detach().reshape(-1, *self.core.sizes.x)
        of_each = (
            None
            if context is None
            else context.repeat(len(z) // len(x), *[1] * (context.dim() - 1))
        )
        costs = dict(p.code.costs)
        for name, nats in self.core.forward_pass(z, of_each).code.costs.items():
            named = f"code-{name}" if name in BOUND else name
            costs[named] = nats.reshape(-1, len(x)).mean(0)
        return replace(p, context=context, code=replace(p.code, costs=costs), model=self)

    def _images(self, z: Tensor, context: Tensor) -> Distribution:
        return self.m1.decode(self.core.core.decode(z, context).mean)


class ScaledNormal(Likelihood):
    """p(z₁|y, z₂) = N(θ, diag σ²), with a learned σ for each number of z₁.

    Numbers that M1 leaves unused are noise of the prior's scale, and those that it uses are not.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.log_scale = nn.Parameter(torch.zeros(sizes.x))

    def forward(self, theta: Tensor) -> Distribution:
        """Outputs [*S, B, 1, d] to a distribution with batch [*S, B], event [d]."""
        mean = widen(theta).squeeze(-2)
        scale = self.log_scale.clamp(min=-6.0).exp().expand_as(mean)
        return Independent(Normal(mean, scale, validate_args=False), 1)
