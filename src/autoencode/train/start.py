"""What a model takes from the training examples before the first step: their mean and scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from autoencode.contract import Likelihood, StartsAtData
from autoencode.data import Split, scaled, still
from autoencode.models.assemble import Decoder, Encoder, SlotAutoencoder
from autoencode.models.build import Model
from autoencode.models.linear import start_at_pca, starts_at_pca
from autoencode.parts.likelihoods.pixels import IDENTITY

# Values of training examples of which mean and scale are taken.
SAMPLE_VALUES = 2**22


def start_at_data(model: Model, train: Split) -> None:
    """Lets a model start at the scale of the training examples, and linear paths at their PCA.

    A decoder whose outputs are the mean of p(x|z) starts around the mean example. From around 0,
    hundreds of steps would only find this mean, in which large steps disturb all other weights.
    """
    if starts := list(_starts(model, tuple(train.x.shape[1:]))):
        # A sample in floats is only made where it is used.
        examples = max(1, SAMPLE_VALUES // model.sizes.pixels)
        sample = scaled(train.x[:: max(1, len(train.x) // examples)])
        filled = torch.where(sample.isnan(), sample.nanmean(0).nan_to_num(0.0), sample)
        for start, takes_missing in starts:
            start(sample if takes_missing else filled)
    if isinstance(model, SlotAutoencoder) and starts_at_pca(model):
        start_at_pca(model, still(replace(train, y=None)).x)


def _starts(model: Model, x: tuple[int, ...]) -> Iterator[tuple[Callable[[Tensor], None], bool]]:
    """What is called with examples of shape x, and whether it takes missing values, NaN."""
    decoders = [each for each in model.modules() if isinstance(each, Decoder)]
    likelihoods = [each.likelihood for each in decoders if each.likelihood.sizes.x == x]
    for module in model.modules():
        if isinstance(module, Likelihood) and module.sizes.x == x:
            if type(module).initialise is not Likelihood.initialise:
                yield module.initialise, True
        elif not all(likelihood.affine == IDENTITY for likelihood in likelihoods):
            continue
        elif isinstance(module, Encoder | Decoder) and isinstance(module.network, StartsAtData):
            network, one = module.network, isinstance(module, Decoder)
            if network.shape == ((1, *x) if one else x):
                yield partial(_start, network, one), False


def _start(network: StartsAtData, one_channel: bool, examples: Tensor) -> None:
    network.start_at(examples[:, None] if one_channel else examples)
