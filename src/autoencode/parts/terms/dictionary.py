"""Terms of sparse autoencoders: units that are never active, numbers of active units, prefixes."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from autoencode.contract import ForwardPass, Sizes, Term, Width, Within
from autoencode.maths import traced
from autoencode.maths.sharding import whole_batch


class AuxK(Term):
    """Auxiliary loss that revives dead units: ‖e − ê‖², squared error, [B].

    e is the error x − x̂ of the reconstruction, without gradient, and ê what the k largest features
    of dead units add to the reconstruction of the code 0: Σⱼ zⱼ dⱼ for a linear decoder. Dead units
    thus learn the directions that the others leave out. Without dead units it is 0.

    k: dead units that are used for each example; None is a quarter of the number of its values.
        The paper takes half of it, which costs more and helps no more.
    after: a unit is dead if it was inactive for so many examples that one of average use would have
        been active `after` times.
    restart: a unit that was inactive for this share of all examples of a training begins anew at
        the error of an example (network dictionary); 0 for never. It is a share, so that a unit for
        what is rare is kept where the training is long enough to learn it.
    Source: [gao2024], appendix A.2; [bricken2023] for units that begin anew.
    """

    name = "aux-k"
    needs = frozenset({"features"})
    formula = "‖e − ê‖²"
    unit = ""

    idle: Tensor

    def __init__(
        self,
        sizes: Sizes,
        k: Width | None = None,
        after: Annotated[float, Within(1.0, 1e9)] = 5.0,
        restart: Annotated[float, Within(0.0, 1.0)] = 0.05,
    ) -> None:
        super().__init__(sizes)
        self.k = min(k or max(1, sizes.pixels // 4), sizes.latent)
        self.after, self.restart = after, restart
        # Examples since each unit was last active.
        self.register_buffer("idle", torch.zeros(sizes.latent))

    def dead(self, active: Tensor) -> Tensor:
        """Which units are dead, [d], after a batch in which units were active, [B, d].

        In training the batch is counted.
        """
        active = whole_batch(active)
        # One pass over all codes, for both figures.
        uses = active.sum(0, dtype=torch.float32)
        if self.training:
            self.idle.copy_(torch.where(uses > 0, 0.0, self.idle + len(active)))
        return self.idle * (uses.sum() / active.numel()) > self.after

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]."""
        h = p.code.features
        assert h is not None  # `needs` was checked when the model was built
        dead = self.dead(p.code.z.detach().reshape(h.shape) != 0)
        if traced():
            largest, places = torch.where(dead, h, 0.0).topk(self.k)
        else:
            units = dead.nonzero().flatten()
            if not len(units):
                return h.new_zeros(len(h))
            # Dead units are few, and all of them often are no more than k.
            largest, places = h.index_select(-1, units).topk(min(self.k, len(units)), sorted=False)
            places = units[places]
        z = torch.zeros_like(h).scatter(-1, places, largest).reshape(-1, *self.sizes.z)
        nothing = torch.zeros_like(z if p.context is not None else z[:1])
        context = None if p.context is None else torch.cat([p.context, p.context])
        # Both at once, for one pass over the weights.
        images = p.model.decode(torch.cat([z, nothing]), context).mean
        added = images[: len(z)] - images[len(z) :]
        # A trace cannot tell before which units are dead.
        return dead.any() * _squared_error(p.x - p.px.mean.detach(), added)


class Matryoshka(Term):
    """Reconstruction by prefixes of the code: Σ −ln p(x|z₁…zₘ) for m = d/2, d/4, …, nats, [*S, B].

    The first dimensions learn the most frequent, general features, because they must reconstruct
    alone, and are not absorbed by the more special ones that follow.

    prefixes: number of prefixes, each half as long as the one before.
    Source: [bussmann2025].
    """

    name = "matryoshka"
    formula = "Σₘ −ln p(x|z₁…zₘ)"
    has_likelihood = True

    def __init__(self, sizes: Sizes, prefixes: Annotated[int, Within(1, 20)] = 3) -> None:
        super().__init__(sizes)
        lengths = {sizes.z[0] >> n for n in range(1, prefixes + 1)} - {0}
        self.lengths = sorted(lengths, reverse=True)

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        z = p.code.z
        first = torch.arange(self.sizes.z[0], device=z.device)
        first = first.reshape(-1, *[1] * (len(self.sizes.z) - 1))
        total = torch.zeros_like(z.flatten(-len(self.sizes.z))[..., 0])
        for length in self.lengths:
            prefix = torch.where(first < length, z, 0.0)
            total = total - p.model.decode(prefix, p.context).log_prob(p.x)
        return total


class L0(Term):
    """Penalty on another number of active dimensions than k: (L₀ / k − 1)² Var x, [].

    L₀ is the mean number of active dimensions over the batch, k that of the bottleneck, and Var x
    the mean squared distance of the examples of the batch from their mean: one weight fits data of
    any scale. With the penalty λ L₀, each data set needs a λ that is found by trials.

    Source: [rajamanoharan2024b], which minimises λ L₀, and for a given L₀ this penalty.
    """

    name = "l0"
    needs = frozenset({"active", "thresholds"})
    formula = "(‖z‖₀/k − 1)² Var x"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        active = p.code.active
        assert active is not None  # `needs` was checked when the model was built
        return _variance(p.x) * (whole_batch(active).mean() - 1).square()


class GatedLoss(Term):
    """Loss of the gates: ‖x − x̂(max(h, 0))‖² + λ ‖max(h, 0)‖₁ Var x, squared error, [B].

    The decoder reconstructs from the open gates themselves. Its weights are constants here, so
    that only the encoder learns by this term. Var x is the mean squared distance of the examples of
    the batch from their mean, so that λ does not depend on the scale of the data.

    In training λ is multiplied by (L₀ / k)^rate after each batch, where L₀ is the mean number of
    open gates and k that of the bottleneck, so that L₀ approaches k; L₀ / k is limited to 1/e … e.
    In the paper λ is constant, and L₀ what follows from it.

    rate: 0 for a constant λ.   sparsity: λ before training.
    Source: [rajamanoharan2024a], eq. 8.
    """

    name = "gated"
    needs = frozenset({"features", "active"})
    formula = "‖x − x̂(max(h, 0))‖² + λ‖max(h, 0)‖₁ Var x"
    unit = ""

    log_sparsity: Tensor

    def __init__(
        self,
        sizes: Sizes,
        rate: Annotated[float, Within(0.0, 1.0)] = 0.01,
        sparsity: Annotated[float, Within(1e-9, 1e6)] = 0.1,
    ) -> None:
        super().__init__(sizes)
        self.rate = rate
        self.register_buffer("log_sparsity", torch.tensor(float(sparsity)).log())

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [B]; it computes gradients in evaluation too."""
        h, active = p.code.features, p.code.active
        # `needs` was checked when the model was built.
        assert h is not None
        assert active is not None
        with torch.enable_grad():
            leaf = h.detach().requires_grad_()
            images = p.model.decode(leaf.reshape(-1, *self.sizes.z), p.context).mean
            error = _squared_error(p.x, images)
            (slope,) = torch.autograd.grad(error.sum(), leaf)
        # The value of the error, with its gradient in the features and in nothing else.
        error = error.detach() + (slope * (h - h.detach())).sum(-1)
        value: Tensor = error + self.log_sparsity.exp() * _variance(p.x) * h.sum(-1)
        if self.training:
            change = whole_batch(active.detach()).mean().clamp(min=1e-9).log().clamp(-1, 1)
            self.log_sparsity.add_(self.rate * change)
        return value


def _squared_error(x: Tensor, y: Tensor) -> Tensor:
    """‖x − y‖² of each example, [B]; missing values of x, NaN, are left out."""
    return (torch.where(x.isnan(), y, x) - y).square().flatten(1).sum(1)


def _variance(x: Tensor) -> Tensor:
    """The mean squared distance of the examples of a batch from their mean, []."""
    x = whole_batch(x)
    return (x - x.nanmean(0)).square().flatten(1).nansum(1).mean()
