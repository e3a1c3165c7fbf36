"""Exports the decoder and the encoder of a model as graphs."""

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
    """Export the decoder: codes "z" [1, *Z] to the mean image [1, *X], as `model.decoder`.

    A conditional model takes a second input, "context" [1, C]: feature vectors as they are, labels
    one-hot. A label must be given.

    Raises:
        Unsupported: as `network_graph`.
    """
    model = _copy_for_export(model)
    return network_graph(_decoder(model), _inputs(model, "z", model.sizes.z))


def encoder_graph(model: Model) -> Graph:
    """Export the encoder: images "x" [1, *X], floats in [0, 1], to codes [1, *Z].

    If the posterior is a normal distribution with independent dimensions, its scale [1, *Z] is the
    second output. A conditional model takes "context" as in `decoder_graph`; a model that learns
    labels takes zeros for an unknown label, and uses its own prediction.

    Raises:
        Unsupported: as `network_graph`.
    """
    model = _copy_for_export(model)
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
        self.upper, self.lower = model.core.core.decoder, model.m1.decoder

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        images: Tensor = self.lower(self.upper(z, context))
        return images


def _decoder(model: Model) -> nn.Module:
    """The decoder as a module; for a model that learns labels, the decoder of a given label."""
    if isinstance(model, StackedSemiSupervised):
        return _StackedDecoder(model)
    return model.core.decoder if isinstance(model, SemiSupervised) else model.decoder


def _code(model: Model, x: Tensor, context: Tensor | None) -> Code:
    if not isinstance(model, LabelModel):
        return model.encode(x, context)
    assert context is not None
    predicted = functional.one_hot(model.predict(x), model.sizes.context).to(context.dtype)
    labels = torch.where(context.sum(-1, keepdim=True) > 0, context, predicted)
    if isinstance(model, StackedSemiSupervised):
        return model.core.core.encode(model.m1.encoder(x), labels)
    return model.core.encode(x, labels)


def _inputs(model: Model, name: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Example inputs of the export."""
    inputs = {name: torch.zeros(1, *shape)}
    return inputs | (
        {"context": torch.zeros(1, model.sizes.context)} if model.sizes.context else {}
    )


def _copy_for_export(model: Model) -> Model:
    """A copy on the CPU, in evaluation mode, that takes one-hot vectors in place of labels.

    `Context` modules check the values of labels, and a graph holds no such checks.
    """
    # Python cannot copy a tensor with a gradient function, such as a loss kept as an attribute.
    kept = [t for m in model.modules() for t in vars(m).values() if isinstance(t, Tensor)]
    copies = {id(t): t.detach() for t in kept if not t.is_leaf}
    model = copy.deepcopy(model, copies).cpu().float().eval()
    for module in model.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, Context):
                setattr(module, name, nn.Identity())
    return model
