"""Semi-supervised models: the class y is a latent variable, which a few examples show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily
from torch.nn import functional

from autoencode.contract import Code, ForwardPass, ModelOutput, Network, Sizes, Within
from autoencode.errors import DataError, RecipeError
from autoencode.maths import widen
from autoencode.models.assemble import SlotAutoencoder, assemble, part, shape_words
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe
from autoencode.parts.contexts import Labels
from autoencode.parts.networks import network_class

# The terms that are taken over all classes where the label is unknown, and what may fill them:
# examples are weighed one by one, and a statistic of the batch knows nothing of that.
BOUND = {"reconstruction": ("reconstruction",), "kl": ("kl", "cluster-kl")}
Alpha = Annotated[float, Within(0.0, 1e6)]


class SemiSupervised(LabelModel):
    """M2: p(x, y, z) = p(x|y, z) p(z) / K, with q(y|x) a classifier and q(z|x, y) an encoder.

    −ln p(x, y) ≤ L(x, y) = E_q(z|x,y)[−ln p(x|y, z)] + KL(q(z|x, y) ‖ p(z)) + ln K
    −ln p(x) ≤ U(x) = Σ_y q(y|x) L(x, y) − H(q(y|x))
    and the objective is the mean of L where the label is known and of U where it is not, with
    α · the mean of −ln q(y|x) where it is known. The sum over y is exact: each example without a
    label goes through the model once for each class.

    Everywhere `c` is labels [B], −1 where unknown, or one-hot features [B, K], 0 where unknown;
    None: no label is known. An unknown label is the likeliest, argmax q(y|x), to `encode`,
    `encoder` and `forward`, which see x; `decode` and `decoder`, which do not, give the mixture
    p(x|z) = Σ_y p(x|y, z) / K. So p(x) is estimated with importance weights as of any VAE.

    The recipe's own slots make p and q(z|x, y); the classifier is another encoder of its network.
    Source: [kingma2014semi], eq. 6 to 9.
    """

    core: SlotAutoencoder

    def __init__(self, recipe: Recipe, sizes: Sizes, alpha: Alpha = 10.0) -> None:
        """A model of `sizes.context` classes.

        Batches may hold more labels than the data, see `Sizes.labelled`; the objective is still
        that of the data.

        alpha: what the classification of one example weighs beside the bound of one; 0.1 in the
            paper.

        Raises:
            RecipeError: fewer than two classes, or a recipe without the terms of the bound.
        """
        super().__init__()
        _check(recipe, sizes)
        self.recipe, self.sizes = recipe, sizes
        self.alpha = float(alpha)
        self.core = assemble(recipe, sizes)
        self.space = self.core.space
        network: Network = network_class(recipe.network.kind)(**recipe.network.args)
        self.classifier = network.encoder(
            replace(sizes, z=(sizes.context,), context=0), sizes.context
        )
        self.labels = Labels(sizes)
        self.bound = nn.ModuleDict({n: part("terms", recipe.terms[n], sizes) for n in BOUND})

    def predict_proba(self, x: Tensor) -> Tensor:
        """q(y|x) of examples [B, *X]: [B, K]; builds no gradients unless in training."""
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            proba: Tensor = self._logits(self.core.encoder.examples(x)).softmax(-1)
            return proba

    def codes(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Images [B, *X] to codes [B, *Z], a posterior's mean."""
        codes: Tensor = self.core.encoder(x, self._told(x, context))
        return codes

    def encode(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """See `Autoencoder.encode`; an unknown label is the likeliest."""
        return self.core.encode(x, self._told(x, context), samples)

    def decode(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `Autoencoder.decode`; an unknown label makes p(x|z) a mixture over all classes."""
        return self.over_labels(self.core.decode, z, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """See `Autoencoder.forward`; an unknown label is the likeliest."""
        return self.core.forward(x, self._told(x, context))

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`: a pass under the known or likeliest labels.

        Its costs are the objective: "reconstruction" and "kl" (which stand for the terms of the
        same names and carry their weights), "label-kl", and "classification", α included.
        """
        x = self.core.encoder.examples(x)
        logits = self._logits(x)
        known, seen = self._known(x, context)
        p = self.core.forward_pass(x, torch.where(seen[:, None], known, self._likeliest(logits)))
        costs = self._costs(p, known, seen, logits.log_softmax(-1))
        return replace(p, code=replace(p.code, costs=costs), model=self)

    def over_labels(
        self, decode: Callable[[Tensor, Tensor], Distribution], z: Tensor, context: Tensor | None
    ) -> Distribution:
        """What `decode` gives for the known labels of codes [*S, B, *Z], or the mixture over y.

        Raises:
            DataError: codes of another size.
        """
        lead = z.shape[: z.dim() - len(self.sizes.z)]
        if not lead or tuple(z.shape[len(lead) :]) != self.sizes.z:
            raise DataError(
                f"This model's codes have shape {shape_words(self.sizes.z)}, "
                f"and these are {shape_words(z.shape)}",
                f"Give a batch, (N, {shape_words(self.sizes.z)[1:]}",
            )
        k = self.sizes.context
        known, seen = self._known(z.movedim(len(lead) - 1, 0), context)
        if seen.all():
            return decode(z, known)
        # To `decode` the classes are the batch, and the examples are samples.
        every = z.unsqueeze(len(lead)).expand(*lead, k, *self.sizes.z)
        px = decode(every, torch.eye(k, dtype=z.dtype, device=z.device))
        weights = torch.where(seen[:, None], known, 1 / k).expand(*lead, k)
        return MixtureSameFamily(Categorical(weights, validate_args=False), px, validate_args=False)

    def _told(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The known or likeliest labels as features, [B, K]."""
        known, seen = self._known(x, context)
        if seen.all():
            return known
        with torch.no_grad():
            likeliest = self._likeliest(self._logits(self.core.encoder.examples(x)))
        return torch.where(seen[:, None], known, likeliest)

    def _known(self, like: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is known of a batch as features [B, K], 0 where nothing is; and where it is, [B]."""
        if context is None:
            context = torch.zeros(len(like), self.sizes.context, device=like.device)
        known: Tensor = self.labels(context)
        return known, known.sum(-1) > 0

    def _logits(self, x: Tensor) -> Tensor:
        """ln q(y|x) and a constant, [B, K]."""
        logits: Tensor = self.classifier(x)
        return widen(logits)

    def _likeliest(self, logits: Tensor) -> Tensor:
        return functional.one_hot(logits.argmax(-1), self.sizes.context).to(logits.dtype)

    def _costs(
        self, p: ForwardPass, known: Tensor, seen: Tensor, log_q: Tensor
    ) -> dict[str, Tensor]:
        """Each cost in nats, [B]."""
        costs = self._nats(p)
        costs["label-kl"] = torch.full_like(log_q[:, 0], math.log(self.sizes.context))
        if not seen.all():
            for name, nats in self._over_all(p.x[~seen], log_q[~seen]).items():
                costs[name] = costs[name].index_put((~seen,), nats.to(costs[name].dtype))
        share, of_all = seen.to(log_q.dtype).mean(), self.sizes.labelled
        if self.training and of_all is not None and 0 < share < 1:
            weight = torch.where(seen, of_all / share, (1 - of_all) / (1 - share))
            costs = {name: weight * nats for name, nats in costs.items()}
        missed = -(known * log_q).sum(-1) / share.clamp(min=1 / len(seen))
        return costs | {"classification": self.alpha * missed}

    def _over_all(self, x: Tensor, log_q: Tensor) -> dict[str, Tensor]:
        """The summands of U(x) for examples [U, *X] without a label, each [U]."""
        k = self.sizes.context
        every = torch.eye(k, dtype=x.dtype, device=x.device).repeat_interleave(len(x), 0)
        p = self.core.forward_pass(x.repeat(k, *[1] * (x.dim() - 1)), every)
        q = log_q.exp()
        nats = {n: (q * each.reshape(k, -1).T).sum(-1) for n, each in self._nats(p).items()}
        return nats | {"label-kl": (q * (log_q + math.log(k))).sum(-1)}

    def _nats(self, p: ForwardPass) -> dict[str, Tensor]:
        """The summands of L(x, y) but ln K, each [B], averaged over samples of the code."""
        nats: dict[str, Tensor] = {name: term(p) for name, term in self.bound.items()}
        nats |= p.code.costs
        return {name: each.reshape(-1, len(p.x)).mean(0) for name, each in nats.items()}


def _check(recipe: Recipe, sizes: Sizes) -> None:
    if sizes.context < 2:
        raise RecipeError(
            f'"{recipe.name}" tells classes apart, and these data name {sizes.context}',
            'Give it data with labels of two classes or more, and context "labels".',
        )
    for name in BOUND:
        if name not in recipe.terms:
            raise RecipeError(
                f'"{recipe.name}" has no term "{name}", which is taken over all labels here',
                f"Add it: --set terms.{name}={name}.",
            )
        if recipe.terms[name].kind not in BOUND[name]:
            raise RecipeError(
                f'"{recipe.name}" sums "{name}" over the classes of each example, and term '
                f'"{recipe.terms[name].kind}" has no nats of single examples to sum',
                f"Take one that has: --set terms.{name}={BOUND[name][0]}.",
            )
