"""The standard model: an encoder and a decoder, built from the parts of a recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from autoencode.contract import (
    Bottleneck,
    Code,
    Context,
    Corruption,
    ForwardPass,
    Likelihood,
    ModelOutput,
    Network,
    Prior,
    Sampler,
    Sizes,
    Space,
)
from autoencode.data.preprocessing import Preprocessing
from autoencode.errors import DataError
from autoencode.models.base import BaseAutoencoder
from autoencode.models.inputs import (
    check_codes,
    check_examples,
    code_inputs,
    example_inputs,
    gradients,
)
from autoencode.models.inputs import shape_words as shape_words
from autoencode.models.linear_checks import refuse_linear
from autoencode.models.recipe import Recipe, Spec
from autoencode.parts import SLOTS
from autoencode.parts.networks import network_class


class Encoder(nn.Module):
    """The encoder: network and bottleneck; it can be used separately.

    `encoder(x)` returns codes, for a VAE the posterior mean. The encoder of a conditional model
    also takes labels or vectors: `encoder(x, labels)`. For the inputs see `BaseAutoencoder`.
    """

    def __init__(
        self,
        network: nn.Module,
        bottleneck: Bottleneck,
        context: Context | None = None,
        missing: bool = False,
    ) -> None:
        """The parts; with `missing`, the network receives `observed` values."""
        super().__init__()
        self.network, self.bottleneck, self.context = network, bottleneck, context
        self.missing = missing
        # Set through the model.
        self.preprocessing: Preprocessing | None = None

    def forward(self, x: Any, context: Any = None) -> Tensor:
        """Encodes images [B, H, W] or [B, C, H, W] (uint8, or float in [0, 1]) to [B, *Z].

        Raises:
            DataError: another shape or device, no numbers, NaN, or values out of range.
        """
        sizes = self.bottleneck.sizes
        examples, features = example_inputs(
            self, sizes, x, context, preprocessing=self.preprocessing, missing=self.missing
        )
        with gradients(self, examples, features):
            return self.code(examples, features).z

    def code(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """Encodes images to a `Code`, with posterior and costs, see `BaseAutoencoder.code`."""
        context = context_features(self.context, context)
        x = self.examples(x)
        x = observed(x) if self.missing else x
        code: Code = self.bottleneck(self.network(x, context), samples)
        return code

    def examples(self, x: Tensor) -> Tensor:
        """Converts images to the shape and range of the network's input, [B, *X] in [0, 1].

        Raises:
            DataError: images of another size, or integers other than uint8.
        """
        sizes = self.bottleneck.sizes
        check_examples(x, sizes)
        return (x.float() / 255 if x.dtype == torch.uint8 else x).reshape(-1, *sizes.x)


class Decoder(nn.Module):
    """The decoder: network and likelihood; it can be used separately.

    `decoder(z)` returns the mean of p(x|z), which most likelihoods restrict to [0, 1].
    """

    def __init__(
        self, network: nn.Module, likelihood: Likelihood, context: Context | None = None
    ) -> None:
        super().__init__()
        self.network, self.likelihood, self.context = network, likelihood, context

    def forward(self, z: Any, context: Any = None) -> Tensor:
        """Decodes codes [*S, B, *Z] to images [*S, B, *X].

        Raises:
            DataError: another shape or device, no numbers, or NaN.
        """
        codes, features = code_inputs(self, self.likelihood.sizes, z, context)
        with gradients(self, codes, features):
            return self.distribution(codes, features).mean

    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """Decodes codes [*S, B, *Z] to p(x|z), batch [*S, B], event [*X].

        Raises:
            DataError: codes of another shape.
        """
        shape = self.likelihood.sizes.z
        lead = check_codes(z, shape)
        context = context_features(self.context, context)
        if context is not None:
            context = context.expand(*lead, context.shape[-1]).reshape(-1, context.shape[-1])
        theta = self.network(z.reshape(-1, *shape), context)
        px: Distribution = self.likelihood(theta.reshape(*lead, *theta.shape[1:]))
        return px


class SlotAutoencoder(BaseAutoencoder):
    """An autoencoder with one encoder and one decoder; it implements `Autoencoder`.

    The corruption, the sampler and the number of samples come from the recipe; `assemble` builds
    the other modules.
    """

    def __init__(
        self, recipe: Recipe, sizes: Sizes, encoder: Encoder, decoder: Decoder, prior: Prior | None
    ) -> None:
        super().__init__()
        self.recipe, self.sizes = recipe, sizes
        bottleneck = encoder.bottleneck
        self.space: Space = bottleneck.space
        self.context, self.missing = encoder.context, encoder.missing
        self.encoder, self.decoder, self.latent_prior = encoder, decoder, prior
        self.corruption: Corruption | None = part("corruption", recipe.corruption, sizes)
        self.latent_sampler: Sampler | None = _sampler(recipe, sizes, bottleneck)
        self.samples = recipe.samples or (1 if bottleneck.random else None)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """Checks the values of examples; the encoder, which works alone, holds it."""
        return self.encoder.preprocessing

    @preprocessing.setter
    def preprocessing(self, value: Preprocessing | None) -> None:
        self.encoder.preprocessing = value

    def code(self, x: Tensor, context: Tensor | None = None, samples: int | None = None) -> Code:
        """See `BaseAutoencoder.code`."""
        return self.encoder.code(x, context, samples)

    def distribution(self, z: Tensor, context: Tensor | None = None) -> Distribution:
        """See `BaseAutoencoder.distribution`."""
        return self.decoder.distribution(z, context)

    def reconstruction(self, x: Tensor, context: Tensor | None = None) -> ModelOutput:
        """See `BaseAutoencoder.reconstruction`; it calls encoder and decoder with their hooks."""
        codes = self.encoder(x, context)
        return ModelOutput(codes, self.decoder(codes, context))

    def prior(self, context: Tensor | None = None) -> Distribution | None:
        """See `Autoencoder.prior`."""
        if self.latent_prior is None:
            return None
        prior: Distribution = self.latent_prior(
            None if context is None else context_features(self.context, context),
            self._encode_without_context,
        )
        return prior

    def sampler(self) -> Distribution | None:
        """See `Autoencoder.sampler`."""
        if self.latent_sampler is None:
            return self.prior()
        fitted: Distribution = self.latent_sampler()
        return fitted

    def forward_pass(self, x: Tensor, context: Tensor | None = None) -> ForwardPass:
        """See `Autoencoder.forward_pass`; the code is sampled if the bottleneck has a posterior."""
        x = self.encoder.examples(x)
        context = context_features(self.context, context)
        inputs = x if self.corruption is None else self.corruption(x)
        code = self.encoder.code(inputs, context, self.samples)
        return ForwardPass(
            x, inputs, context, code, self.distribution(code.z, context), self.prior(context), self
        )

    def _encode_without_context(self, x: Tensor) -> Code:
        """Encodes examples without labels or vectors, for priors that have examples."""
        width = self.sizes.context
        return self.encoder.code(x, x.new_zeros(len(x), width) if width else None)


def assemble(recipe: Recipe, sizes: Sizes) -> SlotAutoencoder:
    """Builds the standard model from the parts of a recipe."""
    network: Network = network_class(recipe.network.kind)(**recipe.network.args)
    bottleneck: Bottleneck = part("bottleneck", recipe.bottleneck, sizes)
    likelihood: Likelihood = part("likelihood", recipe.likelihood, sizes)
    context: Context | None = part("context", recipe.context, sizes)
    refuse_linear(recipe, bottleneck, likelihood)
    features = bottleneck.features * sizes.latent
    missing = likelihood.missing
    inputs = replace(sizes, x=(2 * sizes.pixels,)) if missing else sizes
    encoder = Encoder(network.encoder(inputs, features), bottleneck, context, missing)
    decoder = Decoder(network.decoder(sizes, likelihood.channels), likelihood, context)
    prior: Prior | None = part("prior", recipe.prior, sizes)
    return SlotAutoencoder(recipe, sizes, encoder, decoder, prior)


def observed(x: Tensor) -> Tensor:
    """Rows with missing values, NaN, as network inputs: [B, D] to [B, 2 D].

    Missing values are 0, followed by an indicator that is 1 where a value is missing.
    """
    return torch.cat([x.nan_to_num(0.0), torch.isnan(x).to(x.dtype)], -1)


def context_features(context: Context | None, values: Tensor | None) -> Tensor | None:
    """Converts labels or vectors to features [B, C]; without a context they stay unchanged.

    Raises:
        DataError: a conditional model was called without labels or vectors.
    """
    if context is None:
        return values
    if values is None:
        raise DataError(
            f"This model is conditioned on {context.source}, and none were given",
            "Give them as the second argument: model.encoder(x, c), model.decoder(z, c).",
        )
    features: Tensor = context(values)
    return features


def _sampler(recipe: Recipe, sizes: Sizes, bottleneck: Bottleneck) -> Sampler | None:
    if recipe.sampler is None:
        return None
    kind: type[Sampler] = SLOTS["sampler"][recipe.sampler.kind]
    # Samplers of indices need the codebook to convert them to codes.
    book = {"book": bottleneck} if kind.discrete else {}
    return kind(sizes, **book, **recipe.sampler.args)


def part(slot: str, spec: Spec | None, sizes: Sizes) -> Any:
    """Builds the part of a slot for the given sizes; None for an empty slot."""
    return None if spec is None else SLOTS[slot][spec.kind](sizes, **spec.args)
