"""The examples, codes and errors of one model, as its figures use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Autoencoder
from autoencode.data import scaled
from autoencode.errors import DataError, Diverged
from autoencode.explore import Plane, code_plane, uniform_like
from autoencode.models.inference import decode, in_batches, measuring, seeded
from autoencode.models.label_model import LabelModel
from autoencode.report.images import Tiles, tiles
from autoencode.report.tables import Column

# A scatter plot of more points shows nothing more.
MAX_EXAMPLES = 10_000
BATCH_SIZE = 500
# Samples of the prior, and of the distribution that generates codes.
PRIOR_SAMPLES = 10_000
# Examples that the denoising figure shows.
DENOISED_EXAMPLES = 20


@dataclass(frozen=True)
class View:
    """A model with some examples, their codes and their reconstruction errors.

    Codes are flattened here, [N, d].

    x: the examples, [N, *X], uint8 or float in [0, 1].
    y: their classes, [N]; None without labels.     classes: the class names.
    context: what conditions the model, [N] or [N, C]; None for an unconditional model. For a model
        that learns labels, its predicted labels.
    codes: posterior means, [N, d].
    errors: squared error of each reconstruction, summed over pixels that are not missing, [N].
    positions: where these examples are in the complete set, counted from 0, [N].
    total: size of the complete set, of which at most 10,000 examples are used.
    """

    model: Autoencoder
    x: Tensor
    y: Int[Tensor, " n"] | None
    context: Tensor | None
    classes: tuple[str, ...]
    codes: Float[Tensor, "n d"]
    errors: Float[Tensor, " n"]
    positions: Int[Tensor, " n"]
    total: int

    @classmethod
    def of(
        cls,
        model: Autoencoder,
        x: Tensor,
        y: Tensor | None = None,
        classes: Sequence[str] = (),
        context: Tensor | None = None,
    ) -> View:
        """Encode and reconstruct examples [N, *X]; of more than 10,000, a fixed random subset.

        Raises:
            DataError: no examples, or examples of another shape than the model's.
            Diverged: codes that are not finite.
        """
        if not len(x):
            raise DataError("There are no examples to show", "Give one example or more.")
        total = len(x)
        positions = torch.arange(total)
        if total > MAX_EXAMPLES:
            order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
            positions = order[:MAX_EXAMPLES].sort().values
            x, y = x[positions], None if y is None else y[positions]
            context = None if context is None else context[positions]
        if y is not None and bool((y < 0).any()):
            y = None  # the figures by class need the class of every example
        if context is None and isinstance(model, LabelModel):
            predicted = in_batches(
                model, x, lambda b, _: model.predict(b), "predicting", BATCH_SIZE
            )
            context = torch.cat(predicted).cpu()

        def encode(batch: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
            codes, images = model.forward(batch, context)
            squares = torch.where(batch.isnan(), 0.0, (images - batch).square())
            return codes.flatten(1).cpu(), squares.flatten(1).sum(1).cpu()

        batches = in_batches(model, x, encode, "encoding", BATCH_SIZE, context)
        codes, errors = (torch.cat(parts) for parts in zip(*batches, strict=True))
        if not bool(codes.isfinite().all()):
            raise Diverged(
                "Some codes of these examples are not finite numbers",
                "Check the examples for NaN; if there is none, train the model again.",
            )
        return cls(
            model,
            x.cpu().reshape(-1, *model.sizes.x),
            None if y is None else y.cpu(),
            None if context is None else context.cpu(),
            tuple(classes),
            codes,
            errors,
            positions,
            total,
        )

    @property
    def latent(self) -> int:
        """Number of latent dimensions."""
        return self.codes.shape[1]

    @property
    def learns_labels(self) -> bool:
        """Whether the model predicts labels, as semi-supervised models do."""
        return isinstance(self.model, LabelModel)

    @property
    def class_conditional(self) -> bool:
        """Whether the model is conditioned on the class."""
        return self.context is not None and self.context.dim() == 1

    @cached_property
    def plane(self) -> Plane:
        """The plane on which codes of two or more dimensions are drawn."""
        return code_plane(self.codes)

    @cached_property
    def prior_samples(self) -> Float[Tensor, "m d"] | None:
        """10,000 samples of the prior; None without a prior, or with one for each context."""
        if self.code_source == "the prior":
            return self.generated_codes
        return self._samples(self.model.prior)

    @cached_property
    def generated_codes(self) -> Float[Tensor, "m d"] | None:
        """10,000 codes as `autoencode generate` samples them; None without a distribution."""
        return self._samples(self.model.sampler)

    def _samples(self, source: Callable[[], Distribution | None]) -> Float[Tensor, "m d"] | None:
        with measuring(self.model) as device, seeded(0, device):
            distribution = source()
            if distribution is None or distribution.batch_shape:
                return None
            return distribution.sample(torch.Size((PRIOR_SAMPLES,))).flatten(1).float().cpu()

    @cached_property
    def code_source(self) -> str:
        """The distribution that random codes are sampled from, as a phrase."""
        with measuring(self.model):
            sampler, prior = self.model.sampler(), self.model.prior()
        if sampler is None:
            return "the bounding box of the test codes"
        fitted = type(sampler) is not type(prior)
        return "the distribution fitted to the training codes" if fitted else "the prior"

    def random_codes(self, n: int) -> Float[Tensor, "n d"]:
        """n codes from `code_source`, the same in every call; at most 10,000 of a distribution."""
        if self.generated_codes is not None:
            return self.generated_codes[:n]
        return uniform_like(self.codes, n, torch.Generator().manual_seed(0))

    @cached_property
    def posterior_samples(self) -> Float[Tensor, "n d"]:
        """One code of each example sampled from its posterior, as the decoder gets in training."""

        def sample(batch: Tensor, context: Tensor | None) -> Tensor:
            return self.model.encode(batch, context, samples=1).z.flatten(0, 1).flatten(1).cpu()

        with measuring(self.model) as device, seeded(0, device):
            batches = in_batches(self.model, self.x, sample, "sampling", BATCH_SIZE, self.context)
        return torch.cat(batches)

    @cached_property
    def denoised(self) -> tuple[Tensor, Tensor, Tensor]:
        """The first examples clean, corrupted and denoised, [n, *X] each."""
        x = self.examples(DENOISED_EXAMPLES)
        with measuring(self.model) as device, seeded(0, device):
            context = None if self.context is None else self.context[:DENOISED_EXAMPLES].to(device)
            forward_pass = self.model.forward_pass(x.to(device), context)
            images = forward_pass.px.mean.reshape(-1, *forward_pass.x.shape)[0]
        return forward_pass.x.float().cpu(), forward_pass.inputs.float().cpu(), images.float().cpu()

    def members(self, label: int) -> Int[Tensor, " m"]:
        """Indices of the examples of one class."""
        assert self.y is not None
        return (self.y == label).nonzero().flatten()

    def present_classes(self) -> list[int]:
        """The classes of the examples, in ascending order."""
        return [] if self.y is None else sorted(set(self.y.tolist()))

    def example_columns(self, which: Tensor) -> dict[str, Column]:
        """The positions of some examples and, with labels, their class names as table columns."""
        columns: dict[str, Column] = {"position in the test set": self.positions[which].numpy()}
        if self.y is not None:
            columns["label"] = [self.classes[label] for label in self.y[which].tolist()]
        return columns

    def decode(self, codes: Float[Tensor, "m d"], context_of: Tensor | None = None) -> Tensor:
        """Decode flattened codes to images [M, *X].

        context_of: indices [M] or [1] of the examples whose context a conditional model gets; None
            uses each class in turn, or the context of each example in turn.
        """
        context = None
        if self.context is not None:
            context = (
                self.cycled_context(len(codes))
                if context_of is None
                else self.context[context_of.expand(len(codes))]
            )
        return decode(self.model, codes, context)

    def cycled_context(self, n: int) -> Tensor:
        """The context of n random codes: each class in turn, or that of each example in turn."""
        assert self.context is not None
        values = torch.arange(self.model.sizes.context) if self.class_conditional else self.context
        return values[torch.arange(n) % len(values)]

    def tiles(self, images: Tensor) -> Tiles:
        """Images [M, *X] as RGB tiles."""
        return tiles(images, kind=len(self.model.sizes.x))

    def examples(self, n: int) -> Tensor:
        """The first n examples, [n, *X], floats in [0, 1]."""
        return scaled(self.x[:n])

    def originals(self, which: Tensor | Sequence[int]) -> Tiles:
        """Some of the examples as tiles."""
        return self.tiles(scaled(self.x[torch.as_tensor(which)]))

    def decoded(self, codes: Float[Tensor, "m d"], context_of: Tensor | None = None) -> Tiles:
        """The tiles that flattened codes decode to; `context_of` as in `decode`."""
        return self.tiles(self.decode(codes, context_of))
