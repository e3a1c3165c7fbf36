"""What a page needs to compute the two terms of the loss: the likelihood and a normal prior."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Laplace, Normal

from autoencode.explorer.container import Container
from autoencode.maths import BernoulliImages, SharedScaleNormal
from autoencode.models.build import Model
from autoencode.models.inference import measuring


def loss_payload(
    model: Model, codes: Tensor, context: Tensor | None, container: Container
) -> dict[str, Any]:
    """Return the likelihood by name with its scale, and mean and scale of a normal prior.

    codes: [N, d]; the first is decoded.
    context: of these examples, for a conditional model.

    Either is None if the page cannot compute it: another likelihood, or a prior that is not one
    normal distribution with independent dimensions for all examples.
    """
    with measuring(model) as device:
        first = None if context is None else context[:1].to(device)
        px = model.decode(codes[:1].reshape(1, *model.sizes.z).to(device), first)
        prior = _normal(model.prior(first))
    found: dict[str, Any] = {"likelihood": _likelihood(px), "prior": None}
    if prior is not None and prior.loc.numel() == model.sizes.latent:
        mean, scale = (each.detach().float().cpu().flatten() for each in (prior.loc, prior.scale))
        found["prior"] = {"mean": container.add(mean), "scale": container.add(scale)}
    return found


def _likelihood(px: Distribution) -> dict[str, Any] | None:
    if isinstance(px, BernoulliImages):
        return {"kind": "Bernoulli", "scale": None}
    if isinstance(px, SharedScaleNormal):
        return {"kind": "Gaussian", "scale": _shared(px.scale)} if _has_one(px.scale) else None
    if isinstance(px, Independent) and isinstance(px.base_dist, Laplace):
        scale = px.base_dist.scale
        return {"kind": "Laplace", "scale": _shared(scale)} if _has_one(scale) else None
    return None


def _has_one(scale: Tensor) -> bool:
    return bool(torch.all(scale == scale.flatten()[0]))


def _shared(scale: Tensor) -> float:
    return float(scale.flatten()[0])


def _normal(distribution: Distribution | None) -> Normal | None:
    """The normals of single dimensions without a batch, [*Z]; else None."""
    if not isinstance(distribution, Independent) or distribution.batch_shape:
        return None
    return distribution.base_dist if isinstance(distribution.base_dist, Normal) else None
