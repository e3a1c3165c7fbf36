"""The adversarial term on images of the VAE-GAN."""

from __future__ import annotations

from math import prod
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from autoencode.contract import Adversary, ForwardPass, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear, widen
from autoencode.parts.terms.matching import codes_and_prior_samples

# Downsampling stops when the longer side has at most this number of pixels.
MAX_SMALLEST_SIDE = 8
# Channels double with each downsampling, up to this multiple of the first.
MAX_CHANNEL_FACTOR = 8


class ImageCritic(Adversary):
    """VAE-GAN loss: reconstruction error in a critic's features plus a generator loss, [*S, B].

    ½‖f(x) − f(x̂)‖² + generator · ½(−ln D(x̂) − ln D(x̃)). The critic D distinguishes data from
    decoded images; f is its last feature map, normalised, so that the first part is
    −ln N(f(x); f(x̂), I) up to a constant. x̂ is the reconstruction and x̃ a decoded prior sample.
    The second part has no gradient for the encoder.  Source: [larsen2016], eqs. 7 to 9.

    width: channels of the critic after the first downsampling; they double with each further one.
    generator: weight of the second part.

    Raises:
        RecipeError: examples are vectors.
    """

    name = "image-critic"
    needs = frozenset({"prior"})
    formula = "½‖f(x) − f(x̂)‖² − ln D(x̂) − ln D(x̃), D: real or decoded"
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
                'Term "image-critic" needs images, '
                f"and examples are vectors of {sizes.pixels} values",
                'Use the terms "reconstruction" and "match-prior".',
            )
        self.width, self.generator = width, generator
        self.body, smallest = _body(sizes.image, width)
        self.head = Float32Linear(prod(smallest) + sizes.context, 1)

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        real = self.features(p.x).detach()
        error = 0.5 * (self.features(p.px.mean) - real).square().sum(-1)
        codes, prior = self._codes(p)
        decoded = p.model.decode(torch.stack([codes.detach(), prior]), p.context).mean
        generator = softplus(-self._logits(self.features(decoded), p.context))
        return error + self.generator * generator.mean(0)

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """−½ ln D(x) − ¼ ln(1 − D(x̂)) − ¼ ln(1 − D(x̃)), []."""
        with torch.no_grad():
            generated = p.model.decode(self._codes(p)[1], p.context).mean
        decoded = torch.stack([p.px.mean.detach(), generated])
        real = self._logits(self.features(p.x), p.context)
        fake = self._logits(self.features(decoded), p.context)
        return 0.5 * (softplus(-real).mean() + softplus(fake).mean())

    def features(self, x: Tensor) -> Tensor:
        """The critic's last feature map of images [..., *X], flattened: [..., F], float32."""
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
        """The codes of a pass and the same number of prior samples, both [*S, B, *Z]."""
        codes, prior = codes_and_prior_samples(p, self.sizes)
        lead = codes.shape[:-1]
        return codes.reshape(*lead, *self.sizes.z), prior.reshape(*lead, *self.sizes.z)


def _body(image: tuple[int, int, int], width: int) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Strided convolutions, and the shape of the last feature map."""
    layers: list[nn.Module] = []
    channels, high, wide = image
    while not layers or max(high, wide) > MAX_SMALLEST_SIDE:
        outputs = min(2 * channels, MAX_CHANNEL_FACTOR * width) if layers else width
        # Normalisation per image fixes the scale of the features.
        layers += [
            nn.Conv2d(channels, outputs, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(0.2),
        ]
        channels, high, wide = outputs, (high + 1) // 2, (wide + 1) // 2
    return nn.Sequential(*layers), (channels, high, wide)
