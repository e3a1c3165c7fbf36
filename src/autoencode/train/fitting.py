"""What is fitted to the codes: a prior in the middle of training, a sampler after it."""

from __future__ import annotations

import torch

from autoencode.contract import Code, FittedPrior
from autoencode.data import Data, still
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.inference import in_batches, seeded
from autoencode.models.recipe import Recipe

# Clusters show in as many codes, and a map of more takes minutes.
ENOUGH = 10_000


def fit_prior(model: Model, prior: FittedPrior, recipe: Recipe, data: Data, seed: int) -> None:
    """Fits a prior to the codes, a posterior's means, of some training examples."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    chosen = order[:ENOUGH]
    told = conditioning(recipe, data.train, training=True)
    codes = in_batches(
        model,
        still(data.train).x[chosen],
        lambda x, context: model.encode(x, context).z,
        "fitting the prior",
        context=None if told is None else told[chosen],
    )
    prior.fit(torch.cat(codes), seed)


def fit_sampler(model: Model, recipe: Recipe, data: Data, seed: int) -> None:
    """Fits the sampler of a trained model, where its recipe has one, to the training codes.

    Of a random code one draw is taken for each example, because draws are what the decoder was
    trained on.
    """
    sampler = model.latent_sampler
    if sampler is None:
        return
    device = next(model.parameters()).device
    with seeded(seed, device):
        codes = in_batches(
            model,
            still(data.train).x,
            lambda x, context: model.encode(x, context, samples=1),
            "fitting the sampler",
            context=conditioning(recipe, data.train, training=True),
        )
        z = torch.cat([code.z[0] for code in codes])
        index = None if codes[0].index is None else torch.cat([_index(code) for code in codes])
        sampler.fit(Code(z, index=index), seed)


def _index(code: Code) -> torch.Tensor:
    assert code.index is not None  # the first code has one
    return code.index
