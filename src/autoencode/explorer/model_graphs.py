"""The two ways through a model as graphs: codes to images, and images to codes."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

from autoencode.contract import Code, Context
from autoencode.explorer.graph import Graph, network_graph
from autoencode.models.build import Model
from autoencode.models.label_model import LabelModel
from autoencode.models.semisupervised import SemiSupervised
from autoencode.models.stacked import StackedSemiSupervised


def decoder_graph(model: Model) -> Graph:
    """The graph from codes "z" [1, *Z] to the mean image [1, *X], as of `model.decoder`.

    A conditional model takes features "c" [1, C] beside the code: vectors as they are, labels as
    1 at the place of the class and 0 elsewhere; a label must be given.

    Raises:
        Unsupported: see `network_graph`.
    """
    model = _alone(model)
    return network_graph(_decoder(model), _inputs(model, "z", model.sizes.z))


def encoder_graph(model: Model) -> Graph:
    """The graph from images "x" [1, *X], floats in [0, 1], to codes [1, *Z].

    Where the posterior is normal with independent dimensions, its scale [1, *Z] is the second
    output. A conditional model takes features "c" as in `decoder_graph`; one that learns to tell
    labels takes zeros where the label is not known, and finds the likeliest.

    Raises:
        Unsupported: see `network_graph`.
    """
    model = _alone(model)
    return network_graph(_Encoder(model), _inputs(model, "x", model.sizes.x))


class _Encoder(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        code = _code(self.model, x, context)
        if isinstance(code.q, Independent) and isinstance(code.q.base_dist, Normal):
            return code.z, code.q.base_dist.scale
        return (code.z,)


class _StackedDecoder(nn.Module):
    def __init__(self, model: StackedSemiSupervised) -> None:
        super().__init__()
        self.above, self.below = model.core.core.decoder, model.m1.decoder

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        images: Tensor = self.below(self.above(z, context))
        return images


def _decoder(model: Model) -> nn.Module:
    """Codes to images; of a model that learns labels the way that a known label takes."""
    if isinstance(model, StackedSemiSupervised):
        return _StackedDecoder(model)
    return model.core.decoder if isinstance(model, SemiSupervised) else model.decoder


def _code(model: Model, x: Tensor, context: Tensor | None) -> Code:
    if not isinstance(model, LabelModel):
        return model.encode(x, context)
    assert context is not None
    likeliest = functional.one_hot(model.predict(x), model.sizes.context).to(context.dtype)
    told = torch.where(context.sum(-1, keepdim=True) > 0, context, likeliest)
    if isinstance(model, StackedSemiSupervised):
        return model.core.core.encode(model.m1.encoder(x), told)
    return model.core.encode(x, told)


def _inputs(model: Model, name: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    inputs = {name: torch.zeros(1, *shape)}
    return inputs | ({"c": torch.zeros(1, model.sizes.context)} if model.sizes.context else {})


def _alone(model: Model) -> Model:
    """A copy for use on the processor, which takes features where the model takes labels.

    To look at labels, as contexts do, is to decide by numbers, and no graph holds decisions.
    """
    model = copy.deepcopy(model).cpu().float().eval()
    for module in model.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, Context):
                setattr(module, name, nn.Identity())
    return model
