"""A critic of images, which learns what makes one look real (VAE-GAN)."""

from __future__ import annotations

from math import prod
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from autoencode.contract import Adversary, ForwardPass, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear, widen
from autoencode.parts.terms.matching import clouds

# Halving stops when the longer side is at most this; channels double up to this multiple.
SMALLEST = 8
WIDEST = 8


class ImageCritic(Adversary):
    """Reconstruction in a critic's eyes, and images that the critic takes for real, [*S, B].

    ½‖f(x) − f(x̂)‖² + generator · ½(−ln D(x̂) − ln D(x̃)): f are the features of the critic D in its
    last map, normalised, so that the first part is −ln N(f(x); f(x̂), I) but for a constant, nats.
    x̂ is the reconstruction, and x̃ a decoded draw from the prior. The second part is the decoder's
    alone: the encoder pays for features only, and through them learns a distance that the pixels
    do not know.  Source: [larsen2016], eqs. 7 to 9.

    width: channels of the critic after its first halving; they double with each further one.
    generator: the weight of the second part.

    Raises:
        RecipeError: examples are vectors.
    """

    needs = frozenset({"prior"})
    formula = "½‖f(x) − f(x̂)‖² − ln D(x̂) − ln D(x̃), D: real or decoded?"
    unit = ""

    def __init__(
        self,
        sizes: Sizes,
        width: Width = 16,
        generator: Annotated[float, Within(0.0, 1e6)] = 10.0,
    ) -> None:
        super().__init__(sizes)
        if sizes.image is None:
            raise RecipeError(
                f"An image-critic needs images, and one example here is a vector of {sizes.pixels}",
                'Use the terms "reconstruction" and "match-prior".',
            )
        self.width, self.generator = width, generator
        self.body, smallest = _body(sizes.image, width)
        self.head = Float32Linear(prod(smallest) + sizes.context, 1)

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        real = self.features(p.x).detach()
        error = 0.5 * (self.features(p.px.mean) - real).square().sum(-1)
        codes, draws = self._codes(p)
        decoded = p.model.decode(torch.stack([codes.detach(), draws]), p.context).mean
        fooled = softplus(-self._logits(self.features(decoded), p.context))
        return error + self.generator * fooled.mean(0)

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(x) − ¼ ln(1 − D(x̂)) − ¼ ln(1 − D(x̃)), nats, []."""
        with torch.no_grad():
            drawn = p.model.decode(self._codes(p)[1], p.context).mean
        decoded = torch.stack([p.px.mean.detach(), drawn])
        real = self._logits(self.features(p.x), p.context)
        made = self._logits(self.features(decoded), p.context)
        return 0.5 * (softplus(-real).mean() + softplus(made).mean())

    def features(self, x: Tensor) -> Tensor:
        """The critic's last map of images [..., *X], [..., F], in float32."""
        assert self.sizes.image is not None  # checked when it was built
        h: Tensor = self.body(x.reshape(-1, *self.sizes.image))
        return widen(h.reshape(*x.shape[: x.dim() - len(self.sizes.x)], -1))

    def _logits(self, features: Tensor, context: Tensor | None) -> Tensor:
        """ln D/(1 − D) of features [..., B, F]: [..., B]."""
        if context is not None:
            features = torch.cat([features, context.expand(*features.shape[:-1], -1)], -1)
        logits: Tensor = self.head(features)
        return logits.squeeze(-1)

    def _codes(self, p: ForwardPass) -> tuple[Tensor, Tensor]:
        """The codes of a pass and as many draws from the prior, both [*S, B, *Z]."""
        codes, draws = clouds(p, self.sizes)
        lead = codes.shape[:-1]
        return codes.reshape(*lead, *self.sizes.z), draws.reshape(*lead, *self.sizes.z)


def _body(image: tuple[int, int, int], width: int) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Convolutions that halve an image, and the shape of the last map."""
    layers: list[nn.Module] = []
    channels, high, wide = image
    while not layers or max(high, wide) > SMALLEST:
        outputs = min(2 * channels, WIDEST * width) if layers else width
        # Each image is normalised by itself: the scale of features cannot drift.
        layers += [
            nn.Conv2d(channels, outputs, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(0.2),
        ]
        channels, high, wide = outputs, (high + 1) // 2, (wide + 1) // 2
    return nn.Sequential(*layers), (channels, high, wide)
