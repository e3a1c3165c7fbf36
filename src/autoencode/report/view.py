"""What the figures look at: a model, some examples that it was not trained on, and their codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from autoencode.contract import Autoencoder
from autoencode.data import scaled
from autoencode.errors import DataError, Diverged
from autoencode.explore import Plane, code_plane
from autoencode.models.inference import decode, in_batches, measuring, seeded
from autoencode.models.label_model import LabelModel
from autoencode.report.images import Tiles, tiles

# More points than these only hide each other.
MOST = 10_000
CHUNK = 500
PRIOR_DRAWS = 20_000
# Examples that a denoising model is shown at work on.
RESTORED = 20


@dataclass(frozen=True)
class View:
    """A model and what it makes of some examples; codes are flat here, [N, d].

    x: the examples as they are kept, [N, *X], uint8 or float in [0, 1].
    y: the class of each, [N]; None without labels.     classes: the names.
    c: what is known of each, for a conditional model, [N] or [N, C]; else None. Of a model that
        learns to tell labels, those that it tells.
    codes: of the examples, a posterior's mean, [N, d].
    errors: squared error of each reconstruction, summed over pixels, [N].
    places: positions of these examples among all, from 0, [N].
    of: how many examples there are in all; no more than 10,000 of them are looked at.
    """

    model: Autoencoder
    x: Tensor
    y: Int[Tensor, " n"] | None
    context: Tensor | None
    classes: tuple[str, ...]
    codes: Float[Tensor, "n d"]
    errors: Float[Tensor, " n"]
    places: Int[Tensor, " n"]
    of: int

    @property
    def latent(self) -> int:
        """Numbers in one code."""
        return self.codes.shape[1]

    @property
    def tells(self) -> bool:
        """Whether the model learns to tell the labels."""
        return isinstance(self.model, LabelModel)

    @property
    def by_label(self) -> bool:
        """Whether what the model is told of an example is its class."""
        return self.context is not None and self.context.dim() == 1

    @cached_property
    def plane(self) -> Plane:
        """The plane that codes of two or more numbers are drawn on."""
        return code_plane(self.codes)

    @cached_property
    def prior_codes(self) -> Float[Tensor, "m d"] | None:
        """20,000 codes as `generate` draws them, always the same; None without a distribution."""
        with measuring(self.model) as device, seeded(0, device):
            prior = self.model.sampler()
            if prior is None:
                return None
            return prior.sample(torch.Size((PRIOR_DRAWS,))).flatten(1).float().cpu()

    @cached_property
    def fitted(self) -> bool:
        """Whether random codes are drawn from what was fitted to codes, and not from a prior."""
        with measuring(self.model):
            drawn, prior = self.model.sampler(), self.model.prior()
        return drawn is not None and type(drawn) is not type(prior)

    @cached_property
    def drawn_codes(self) -> Float[Tensor, "n d"]:
        """The examples' codes as a decoder meets them in training: drawn from their posterior."""

        def draw(batch: Tensor, known: Tensor | None) -> Tensor:
            return self.model.encode(batch, known, samples=1).z.flatten(0, 1).flatten(1).cpu()

        with measuring(self.model) as device, seeded(0, device):
            return torch.cat(in_batches(self.model, self.x, draw, "drawing", CHUNK, self.context))

    @cached_property
    def restored(self) -> tuple[Tensor, Tensor, Tensor]:
        """The first examples clean, as the encoder was shown them, and restored, [n, *X] each."""
        x = self.examples(RESTORED)
        with measuring(self.model) as device, seeded(0, device):
            known = None if self.context is None else self.context[:RESTORED].to(device)
            forward_pass = self.model.forward_pass(x.to(device), known)
            images = forward_pass.px.mean.reshape(-1, *forward_pass.x.shape)[0]
        return forward_pass.x.float().cpu(), forward_pass.inputs.float().cpu(), images.float().cpu()

    def members(self, label: int) -> Int[Tensor, " m"]:
        """Positions of the examples of one class."""
        assert self.y is not None
        return (self.y == label).nonzero().flatten()

    def present(self) -> list[int]:
        """The classes that have examples here."""
        return [] if self.y is None else self.y.unique().tolist()

    def labels(self, which: Tensor | Sequence[int]) -> dict[str, list[str]]:
        """The classes of some examples by name, as a table's column; none without labels."""
        if self.y is None:
            return {}
        return {"label": [self.classes[label] for label in self.y[torch.as_tensor(which)].tolist()]}

    def decode(self, codes: Float[Tensor, "m d"], like: Tensor | None = None) -> Tensor:
        """Flat codes to images [M, *X].

        like: positions [M] or [1] of the examples whose label, or whatever else is known of them,
            a conditional model is told; None takes each class in turn.
        """
        told = None
        if self.context is not None:
            told = (
                self.in_turn(len(codes)) if like is None else self.context[like.expand(len(codes))]
            )
        return decode(self.model, codes, told)

    def in_turn(self, n: int) -> Tensor:
        """What a conditional model is told of n codes: each class in turn, or each example's."""
        assert self.context is not None
        of_each = torch.arange(self.model.sizes.context) if self.by_label else self.context
        return of_each[torch.arange(n) % len(of_each)]

    def tiles(self, images: Tensor) -> Tiles:
        """Images [M, *X] as pictures."""
        return tiles(images, kind=len(self.model.sizes.x))

    def examples(self, n: int) -> Tensor:
        """The first examples, [n, *X], floats in [0, 1]."""
        return scaled(self.x[:n])

    def originals(self, which: Tensor | Sequence[int]) -> Tiles:
        """Some of the examples as pictures."""
        return self.tiles(scaled(self.x[torch.as_tensor(which)]))

    def decoded(self, codes: Float[Tensor, "m d"], like: Tensor | None = None) -> Tiles:
        """What flat codes decode to, as pictures; `like` as in `decode`."""
        return self.tiles(self.decode(codes, like))


def look(
    model: Autoencoder,
    x: Tensor,
    y: Tensor | None = None,
    classes: Sequence[str] = (),
    context: Tensor | None = None,
) -> View:
    """Encode and decode examples [N, *X]; of more than 10,000, as many are drawn, always the same.

    Raises:
        DataError: there are no examples, or their shape is not the model's.
        Diverged: codes that are not finite.
    """
    if not len(x):
        raise DataError("There are no examples to look at")
    of = len(x)
    places = torch.arange(of)
    if of > MOST:
        drawn = torch.randperm(of, generator=torch.Generator().manual_seed(0))
        places = drawn[:MOST].sort().values
        x, y = x[places], None if y is None else y[places]
        context = None if context is None else context[places]
    if context is None and isinstance(model, LabelModel):
        # A picture of a code shows what the model makes of its example, under the label it tells.
        context = torch.cat(
            in_batches(model, x, lambda b, _: model.predict(b), "telling", CHUNK)
        ).cpu()

    def pair(batch: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        codes, images = model.forward(batch, known)
        return codes.flatten(1).cpu(), (images - batch).square().flatten(1).sum(1).cpu()

    codes, errors = zip(*in_batches(model, x, pair, "looking", CHUNK, context), strict=True)
    if not all(bool(batch.isfinite().all()) for batch in codes):
        raise Diverged(
            "Some codes of these examples are not finite numbers",
            "Look for NaN in the examples; if there are none, train the model again.",
        )
    return View(
        model,
        x.cpu().reshape(-1, *model.sizes.x),
        None if y is None else y.cpu(),
        None if context is None else context.cpu(),
        tuple(classes),
        torch.cat(codes),
        torch.cat(errors),
        places,
        of,
    )
