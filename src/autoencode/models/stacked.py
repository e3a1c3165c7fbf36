"""M1+M2: semi-supervised learning on the codes of a VAE, trained jointly."""

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
    """M1+M2: the semi-supervised model M2 on the codes z₁ of a VAE, M1, trained jointly.

    The loss is the sum of M1's bound on ln p(x), in the recipe's terms, and M2's bound on
    ln p(z₁) with z₁ ~ q(z₁|x). M1 receives no gradient from M2, as if it had been trained first.
    M2's costs are "code-reconstruction" (−ln p(z₁|y, z₂)), "code-kl", "label-kl" and
    "classification". The model's code is z₂; images are p(x|z₁) at z₁ = E[z₁|y, z₂].

    M1 is built from the recipe's slots; M2, the `core`, has dense layers. For labels see
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
        """Builds M1 and M2.

        features: dimensions of z₁.   hidden, norm: M2's layers.   alpha: as in `SemiSupervised`.
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
        # A likelihood that only this model uses, so it has no name in recipes.
        self.core.core.decoder.likelihood = ScaledNormal(self.core.sizes)
        self.space = self.core.space

    def proba(self, x: Tensor) -> Tensor:
        """See `LabelModel.proba`: q(y|z₁) at the mean of q(z₁|x)."""
        return self.core.proba(self.m1.code(x).z)

    def code(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """See `BaseAutoencoder.code`: q(z₂|z₁, y) at the mean of q(z₁|x)."""
        return self.core.code(self.m1.code(x).z, context, samples)

    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `LabelModel.distribution`."""
        return self.core.over_labels(self._images, z, context)

    def reconstruction(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """See `BaseAutoencoder.reconstruction`; an unknown label is predicted."""
        codes, z = self.core.reconstruction(self.m1.code(x).z, context)
        return ModelOutput(codes, self.m1.distribution(z).mean)

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`: the pass of M1, with code z₁ and the costs of both."""
        p = self.m1.forward_pass(x)
        z = p.code.z.detach().reshape(-1, *self.core.sizes.x)
        repeated = (
            None
            if context is None
            else context.repeat(len(z) // len(x), *[1] * (context.dim() - 1))
        )
        costs = dict(p.code.costs)
        for name, nats in self.core.forward_pass(z, repeated).code.costs.items():
            prefixed = f"code-{name}" if name in BOUND else name
            costs[prefixed] = nats.reshape(-1, len(x)).mean(0)
        return replace(p, context=context, code=replace(p.code, costs=costs), model=self)

    def _images(self, z: Tensor, context: Tensor) -> Distribution:
        return self.m1.distribution(self.core.core.distribution(z, context).mean)


class ScaledNormal(Likelihood):
    """p(z₁|y, z₂) = N(θ, diag σ²), with a learned σ for each dimension of z₁.

    Dimensions of z₁ that M1 does not use follow the prior and have a larger σ than the others.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.log_scale = nn.Parameter(torch.zeros(sizes.x))

    def forward(self, theta: Tensor) -> Distribution:
        """Converts outputs [*S, B, 1, d] to a distribution with batch [*S, B], event [d]."""
        mean = widen(theta).squeeze(-2)
        scale = self.log_scale.clamp(min=-6.0).exp().expand_as(mean)
        return Independent(Normal(mean, scale, validate_args=False), 1)
