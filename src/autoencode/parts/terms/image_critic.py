"""Adversarial terms on images: that of the VAE-GAN, and the patch critic of the VQ-GAN."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from autoencode.contract import Adversary, ForwardPass, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear, widen
from autoencode.parts.terms.matching import codes_and_prior_samples

# Downsampling stops when the longer side has at most this number of pixels.
MAX_SMALLEST_SIDE = 8
# Channels double with each downsampling, up to this multiple of the first.
MAX_CHANNEL_FACTOR = 8


class FeatureCritic(Adversary):
    """Base class of critics with strided convolutions, whose last feature map is also used alone.

    width: channels after the first downsampling; they double with each further one.
    generator: weight of the generator loss.
    """

    unit = ""
    for_vectors: ClassVar[str]  # what to use where examples are vectors

    def __init__(self, sizes: Sizes, width: int, generator: float) -> None:
        """Checks that examples are images.

        Raises:
            RecipeError: examples are vectors.
        """
        super().__init__(sizes)
        if sizes.image is None:
            raise RecipeError(
                f'Term "{self.name}" needs images, '
                f"and examples are vectors of {sizes.pixels} values",
                f"Use {self.for_vectors}.",
            )
        self.width, self.generator = width, generator
        self.body, self.smallest = _body(sizes.image, width)

    def maps(self, x: Tensor) -> Tensor:
        """The critic's last feature map of images [..., *X]: [..., C, h, w], float32."""
        assert self.sizes.image is not None  # checked when it was built
        h: Tensor = self.body(x.reshape(-1, *self.sizes.image))
        return widen(h.reshape(*x.shape[: x.dim() - len(self.sizes.x)], *self.smallest))

    def features(self, x: Tensor) -> Tensor:
        """The same map, flattened: [..., F]."""
        return self.maps(x).flatten(-3)


class ImageCritic(FeatureCritic):
    """VAE-GAN loss: reconstruction error in a critic's features plus a generator loss, [*S, B].

    ½‖f(x) − f(x̂)‖² + generator · ½(−ln D(x̂) − ln D(x̃)). The critic D distinguishes data from
    decoded images; f is its last feature map, normalised, so that the first part is
    −ln N(f(x); f(x̂), I) up to a constant. x̂ is the reconstruction and x̃ a decoded prior sample.
    The second part has no gradient for the encoder.  Source: [larsen2016], eqs. 7 to 9.

    width: channels of the critic after the first downsampling; they double with each further one.
    generator: weight of the second part.
    """

    name = "image-critic"
    needs = frozenset({"prior"})
    formula = "½‖f(x) − f(x̂)‖² − ln D(x̂) − ln D(x̃), D: real or decoded"
    for_vectors = 'the terms "reconstruction" and "match-prior"'

    def __init__(
        self,
        sizes: Sizes,
        width: Width = 16,
        generator: Annotated[float, Within(0.0, 1e6)] = 10.0,
    ) -> None:
        super().__init__(sizes, width, generator)
        self.head = Float32Linear(prod(self.smallest) + sizes.context, 1)

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


class PatchCritic(FeatureCritic):
    """VQ-GAN loss: error in the features of a critic of patches plus a generator loss, [*S, B].

    features · ½‖f(x) − f(x̂)‖² − generator · mean D(x̂). The critic D gives one number for each
    position of its last feature map f, so that it judges patches. It is trained with the hinge
    loss to give 1 or more for data and −1 or less for reconstructions x̂. The first part stands for
    the features of a classifier trained on other images, which the paper uses; the weight of the
    generator is constant, while the paper's follows the ratio of two gradients.
    Source: [esser2021], section 3.1; patches: [isola2017]; features of the critic: [larsen2016].

    width: channels of the critic after the first downsampling; they double with each further one.
    features, generator: weights of the two parts; a schedule may start the second one later.
    """

    name = "patch-critic"
    formula = "½‖f(x) − f(x̂)‖² − mean D(x̂), D: patches real or decoded"
    for_vectors = 'the term "reconstruction" alone, as "vq-vae" does'

    def __init__(
        self,
        sizes: Sizes,
        width: Width = 16,
        features: Annotated[float, Within(0.0, 1e6)] = 1.0,
        generator: Annotated[float, Within(0.0, 1e6)] = 10.0,
    ) -> None:
        super().__init__(sizes, width, generator)
        self.feature_weight = features
        self.head = nn.Conv2d(self.smallest[0] + sizes.context, 1, 1)

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        real, decoded = self.maps(p.x).detach(), self.maps(p.px.mean)
        error = 0.5 * (decoded - real).square().flatten(-3).sum(-1)
        return self.feature_weight * error - self.generator * self._judge(decoded, p.context)

    def critic_loss(self, p: ForwardPass) -> Tensor:
        """½ mean max(0, 1 − D(x)) + ½ mean max(0, 1 + D(x̂)) over patches, []."""
        real = self._patches(self.maps(p.x), p.context)
        decoded = self._patches(self.maps(p.px.mean.detach()), p.context)
        return 0.5 * (relu(1 - real).mean() + relu(1 + decoded).mean())

    def _judge(self, maps: Tensor, context: Tensor | None) -> Tensor:
        return self._patches(maps, context).flatten(-2).mean(-1)

    def _patches(self, maps: Tensor, context: Tensor | None) -> Tensor:
        """D of each patch, from feature maps [..., B, C, h, w]: [..., B, h, w], float32."""
        if context is not None:
            shape = (*maps.shape[:-3], context.shape[-1], *maps.shape[-2:])
            maps = torch.cat([maps, context[..., None, None].expand(shape)], -3)
        with torch.autocast(maps.device.type, enabled=False):
            patches: Tensor = self.head(widen(maps).flatten(0, -4))
        return patches.reshape(*maps.shape[:-3], *maps.shape[-2:])


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
