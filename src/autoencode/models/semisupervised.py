"""M2: a semi-supervised VAE, in which the class is a latent variable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from autoencode.contract import Code, ForwardPass, ModelOutput, Network, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import traced, widen
from autoencode.models.assemble import SlotAutoencoder, assemble, part
from autoencode.models.inputs import check_codes
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe
from autoencode.parts.contexts import Labels
from autoencode.parts.networks import network_class

# Terms that are averaged over all classes for unlabelled examples, and the parts allowed for them:
# they must have a value per example, because each example is weighted separately.
BOUND = {"reconstruction": ("reconstruction",), "kl": ("kl", "cluster-kl")}
Alpha = Annotated[float, Within(0.0, 1e6)]


class SemiSupervised(LabelModel):
    """M2: p(x, y, z) = p(x|y, z) p(z) / K, with q(y|x) a classifier and q(z|x, y) an encoder.

    −ln p(x, y) ≤ L(x, y) = E_q(z|x,y)[−ln p(x|y, z)] + KL(q(z|x, y) ‖ p(z)) + ln K
    −ln p(x) ≤ U(x) = Σ_y q(y|x) L(x, y) − H(q(y|x))
    The loss is the mean of L over labelled and of U over unlabelled examples, plus α times the mean
    of −ln q(y|x) over labelled examples. The sum over y is exact: each example of a batch with
    unlabelled ones is passed through the model once per class.

    `context` is labels [B], −1 for unknown, or one-hot features [B, K], all 0 for unknown; None if
    all labels are unknown. `encode`, `encoder` and `forward` replace an unknown label by the
    prediction argmax q(y|x). `decode` and `decoder`, which have no x, return the mixture
    p(x|z) = Σ_y p(x|y, z) / K, so p(x) can be estimated with importance weights as for any VAE.

    p and q(z|x, y) are built from the recipe's slots; the classifier is a second encoder network.
    Source: [kingma2014semi], eq. 6 to 9.
    """

    core: SlotAutoencoder

    def __init__(self, recipe: Recipe, sizes: Sizes, alpha: Alpha = 10.0) -> None:
        """Builds a model of `sizes.context` classes.

        If batches contain a larger fraction of labelled examples than the data, see
        `Sizes.labelled`, examples are weighted so that the loss is that of the data.

        alpha: weight of the classification loss relative to the bound; 0.1 in the paper.

        Raises:
            RecipeError: fewer than two classes, or the recipe lacks a term of the bound.
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

    def proba(self, x: Tensor) -> Tensor:
        """See `LabelModel.proba`: q(y|x)."""
        return self._logits(self.core.encoder.examples(x)).softmax(-1)

    def code(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """See `BaseAutoencoder.code`; an unknown label is predicted."""
        return self.core.code(x, self._labels_or_predictions(x, context), samples)

    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `LabelModel.distribution`."""
        return self.over_labels(self.core.distribution, z, context)

    def reconstruction(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """See `BaseAutoencoder.reconstruction`; an unknown label is predicted."""
        return self.core.reconstruction(x, self._labels_or_predictions(x, context))

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`: a pass with the known or predicted labels.

        Its costs are the loss: "reconstruction" and "kl", which replace the terms of these names
        and have their weights, "label-kl", and "classification", which includes α.
        """
        x = self.core.encoder.examples(x)
        logits = self._logits(x)
        labels, known = self._one_hot(x, context)
        p = self.core.forward_pass(x, torch.where(known[:, None], labels, self._predicted(logits)))
        costs = self._costs(p, labels, known, logits.log_softmax(-1))
        return replace(p, code=replace(p.code, costs=costs), model=self)

    def over_labels(
        self, decode: Callable[[Tensor, Tensor], Distribution], z: Tensor, context: Tensor | None
    ) -> Distribution:
        """Calls `decode` for codes [*S, B, *Z] with known labels, else returns the mixture over y.

        Raises:
            DataError: codes of another shape.
        """
        lead = check_codes(z, self.sizes.z)
        k = self.sizes.context
        labels, known = self._one_hot(z.movedim(len(lead) - 1, 0), context)
        # A trace cannot read values; the mixture of one class is that class.
        if not traced() and known.all():
            return decode(z, labels)
        # For `decode`, the classes are the batch and the examples are samples.
        every = z.unsqueeze(len(lead)).expand(*lead, k, *self.sizes.z)
        px = decode(every, torch.eye(k, dtype=z.dtype, device=z.device))
        weights = torch.where(known[:, None], labels, 1 / k).expand(*lead, k)
        return MixtureSameFamily(Categorical(weights, validate_args=False), px, validate_args=False)

    def _labels_or_predictions(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The known or predicted labels as one-hot features, [B, K]."""
        labels, known = self._one_hot(x, context)
        if not traced() and known.all():
            return labels
        with torch.no_grad():
            predicted = self._predicted(self._logits(self.core.encoder.examples(x)))
        return torch.where(known[:, None], labels, predicted)

    def _one_hot(self, like: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Labels as one-hot features [B, K], 0 for unknown; and which labels are known, [B]."""
        if context is None:
            context = torch.zeros(like.shape[0], self.sizes.context, device=like.device)
        labels: Tensor = self.labels(context)
        return labels, labels.sum(-1) > 0

    def _logits(self, x: Tensor) -> Tensor:
        """ln q(y|x) up to a constant, [B, K]."""
        logits: Tensor = self.classifier(x)
        return widen(logits)

    def _predicted(self, logits: Tensor) -> Tensor:
        # `one_hot` reads its values, which a trace cannot.
        classes = torch.arange(self.sizes.context, device=logits.device)
        return (logits.argmax(-1, keepdim=True) == classes).to(logits.dtype)

    def _costs(
        self, p: ForwardPass, labels: Tensor, known: Tensor, log_q: Tensor
    ) -> dict[str, Tensor]:
        """Each cost in nats, [B]."""
        costs = self._nats(p)
        costs["label-kl"] = torch.full_like(log_q[:, 0], math.log(self.sizes.context))
        # Also of the labelled examples, which are few: a trace cannot read which ones they are.
        if traced() or not known.all():
            for name, nats in self._over_classes(p.x, log_q).items():
                costs[name] = torch.where(known, costs[name], nats.to(costs[name].dtype))
        in_batch, in_data = known.to(log_q.dtype).mean(), self.sizes.labelled
        if self.training and in_data is not None:
            weight = torch.where(known, in_data / in_batch, (1 - in_data) / (1 - in_batch))
            weight = torch.where((in_batch > 0) & (in_batch < 1), weight, 1.0)
            costs = {name: weight * nats for name, nats in costs.items()}
        cross_entropy = -(labels * log_q).sum(-1) / in_batch.clamp(min=1 / len(known))
        return costs | {"classification": self.alpha * cross_entropy}

    def _over_classes(self, x: Tensor, log_q: Tensor) -> dict[str, Tensor]:
        """The summands of U(x) of examples [B, *X], each [B]."""
        k = self.sizes.context
        every = torch.eye(k, dtype=x.dtype, device=x.device).repeat_interleave(len(x), 0)
        p = self.core.forward_pass(x.repeat(k, *[1] * (x.dim() - 1)), every)
        q = log_q.exp()
        nats = {n: (q * each.reshape(k, -1).T).sum(-1) for n, each in self._nats(p).items()}
        return nats | {"label-kl": (q * (log_q + math.log(k))).sum(-1)}

    def _nats(self, p: ForwardPass) -> dict[str, Tensor]:
        """The summands of L(x, y) except ln K, each [B], averaged over samples of the code."""
        nats: dict[str, Tensor] = {name: term(p) for name, term in self.bound.items()}
        nats |= p.code.costs
        return {name: each.reshape(-1, len(p.x)).mean(0) for name, each in nats.items()}


def _check(recipe: Recipe, sizes: Sizes) -> None:
    if sizes.context < 2:
        raise RecipeError(
            f'"{recipe.name}" needs two or more classes, and these data have {sizes.context}',
            'Use data with labels of two or more classes, and context "labels".',
        )
    for name in BOUND:
        if name not in recipe.terms:
            raise RecipeError(
                f'"{recipe.name}" has no term "{name}", which its model sums over all classes',
                f"Add it: --set terms.{name}={name}.",
            )
        if recipe.terms[name].kind not in BOUND[name]:
            raise RecipeError(
                f'"{recipe.name}" sums "{name}" over the classes of each example, and term '
                f'"{recipe.terms[name].kind}" has no value per example',
                f"Use one that has: --set terms.{name}={BOUND[name][0]}.",
            )
