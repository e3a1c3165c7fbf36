"""Fitting to codes: a prior in the middle of training, a sampler after it."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.contract import Code, FittedPrior
from autoencode.data import Data, still
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.inference import in_batches, seeded
from autoencode.models.recipe import Recipe

# Codes that a prior is fitted to: clusters show in as many, and more would take minutes.
MAX_CODES = 10_000


def fit_prior(model: Model, prior: FittedPrior, recipe: Recipe, data: Data, seed: int) -> None:
    """Fits a prior to the codes, the posterior means, of at most 10,000 training examples."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    chosen = order[:MAX_CODES]
    context = conditioning(recipe, data.train, training=True)
    codes = in_batches(
        model,
        still(data.train).x[chosen],
        lambda x, context: model.encode(x, context).z,
        "fitting the prior",
        context=None if context is None else context[chosen],
    )
    prior.fit(torch.cat(codes), seed)


def fit_sampler(model: Model, recipe: Recipe, data: Data, seed: int) -> None:
    """Fits the sampler of a trained model, where its recipe has one, to the training codes.

    Where codes are random, one draw is taken for each example, because the decoder was trained on
    draws.
    """
    sampler = model.latent_sampler
    if sampler is None:
        return
    device = next(model.parameters()).device

    def encoded(x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        code = model.encode(x, context, samples=1)
        # Codes of large images fill the memory; a sampler of indices needs their number only.
        return code.z[0] if code.index is None else code.z[0, :, :0], code.index

    with seeded(seed, device):
        codes = in_batches(
            model,
            still(data.train).x,
            encoded,
            "fitting the sampler",
            context=conditioning(recipe, data.train, training=True),
        )
        z = torch.cat([each for each, _ in codes])
        index = [each for _, each in codes if each is not None]
        sampler.fit(Code(z, index=torch.cat(index) if index else None), seed)
