"""Training that begins at principal component analysis, PCA."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.data.principal import PrincipalAxes, principal_axes
from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.recipe import Recipe
from autoencode.parts.likelihoods.pixels import IDENTITY
from autoencode.parts.networks.linear import PrincipalDecoder, PrincipalEncoder

# Components with a smaller share of the first one's standard deviation are rounding errors.
MIN_DEVIATION = 1e-4
# The variance of a posterior starts at this share of the prior's or more, also where components
# leave nothing out, or the KL has no weight.
MIN_SHARE = 1e-8


def starts_at_pca(model: SlotAutoencoder) -> bool:
    """Whether encoder and decoder have a path through principal components."""
    return any(isinstance(module, PrincipalEncoder) for module in model.encoder.modules())


def start_at_pca(model: SlotAutoencoder, x: Tensor) -> None:
    """Sets encoder and decoder to PCA of the training examples x [N, *X], as many as it has codes.

    A deterministic code then holds the principal components, each with unit variance, and the
    reconstruction is that of PCA. A normal posterior is that of probabilistic PCA with noise
    variance σ², the optimum of a linear VAE: with the variance λᵢ of component i,
    z_i ~ N(√(1 − a/λᵢ) yᵢ, a/λᵢ) for the component yᵢ of unit variance, and its column in the
    decoder has the length √(λᵢ − a). Here a = β σ² for the weight β of the KL. Components with
    λᵢ ≤ a stay at the prior: they collapse in the optimum too. σ² is the variance of the
    likelihood; where that is learned, it begins at its optimum, (Σ λ of all others) / (D − β k)
    for k components of D values, the maximum of the likelihood for β = 1.

    Components are those of `principal_axes`, so that this PCA is the one of the evaluation.
    Source: [tipping1999], [lucas2019].
    """
    bottleneck, likelihood = model.encoder.bottleneck, model.decoder.likelihood
    axes = principal_axes(x, model.sizes.latent)
    weight = _kl_weight(model.recipe) if bottleneck.random else 0.0
    noise = likelihood.noise_variance()
    if noise is None:
        noise = _learned_noise(axes, weight)
        likelihood.set_noise_variance(noise)
    share = weight * noise / axes.variances.clamp(min=1e-30)
    _set_paths(model, axes, (1 - share).clamp(min=0).sqrt(), share.clamp(MIN_SHARE, 1).log())


def _kl_weight(recipe: Recipe) -> float:
    """The weight of the KL for a weight of 1 of the reconstruction; 1 for other objectives."""
    weights = {spec.kind: spec.weight for spec in recipe.terms.values()}
    return weights.get("kl", 1.0) / (weights.get("reconstruction") or 1.0)


def _learned_noise(axes: PrincipalAxes, weight: float) -> float:
    """The optimal variance of what PCA leaves out, for a weight of the KL; 0 without a posterior.

    Each component that is used keeps an expected error of a = β σ².
    """
    values = axes.axes.shape[1]
    kept: list[float] = axes.variances.tolist()
    noise = 0.0
    for k in range(len(kept), -1, -1):
        noise = max(0.0, axes.total - sum(kept[:k])) / max(values - weight * k, 1e-9)
        if not k or kept[k - 1] >= weight * noise:
            break
    return noise


def _set_paths(
    model: SlotAutoencoder, axes: PrincipalAxes, gain: Tensor, log_variance: Tensor
) -> None:
    encoder = next(m for m in model.encoder.modules() if isinstance(m, PrincipalEncoder))
    decoder = next(m for m in model.decoder.modules() if isinstance(m, PrincipalDecoder))
    # The inputs of rows with missing values are twice as many as the outputs.
    ins, outs = encoder.get_buffer("axes").shape[0], decoder.get_buffer("axes").shape[1]
    used, latent, values = len(axes.axes), model.sizes.latent, axes.axes.shape[1]
    deviation = axes.variances.sqrt()
    real = deviation > MIN_DEVIATION * deviation.max() if used else deviation > 0
    gain, log_variance = gain * real, log_variance * real
    rows = torch.zeros(ins, values, dtype=torch.float64)
    columns = torch.zeros(values, outs, dtype=torch.float64)
    rows[:used] = torch.where(real, 1 / deviation, 0.0)[:, None] * axes.axes
    columns[:, :used] = axes.axes.T * (deviation * real)
    centre = axes.mean
    # The decoder gives θ, and the first channel of θ gives the mean a + b θ.
    a, b = model.decoder.likelihood.affine or IDENTITY
    others = values * (model.decoder.likelihood.channels - 1)
    mean_out = functional.pad((centre - a) / b, (0, others))
    columns = functional.pad(columns / b, (0, 0, 0, others))
    if model.missing:
        # Inputs are rows with 0 for missing values, and an indicator: the mean takes their place.
        rows = torch.cat([rows, rows * centre], 1)
        centre = torch.cat([centre, torch.zeros_like(centre)])
    features = model.encoder.bottleneck.features * latent
    weight, bias, back = (
        torch.zeros(features, ins),
        torch.zeros(features),
        torch.zeros(outs, latent),
    )
    weight[range(used), range(used)] = back[range(used), range(used)] = gain.float()
    if features > latent:
        bias[latent : latent + used] = log_variance.float()
    encoder.set_components(centre, rows, weight, bias)
    decoder.set_components(mean_out, columns, back)
