"""Imputation: missing values of rows of a table, estimated from the observed ones."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.contract import Autoencoder
from autoencode.models.inference import in_batches, seeded

SAMPLES = 200
BATCH_SIZE = 100


def impute(
    model: Autoencoder,
    x: Tensor,
    context: Tensor | None = None,
    samples: int = SAMPLES,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
) -> Tensor:
    """Rows with their missing values, NaN, filled in: [N, D] to [N, D], float32.

    A model with a posterior and a prior gives the mean of p(x_missing | x_observed) by
    self-normalised importance sampling, Σₛ wₛ E[x|zₛ] / Σₛ wₛ with zₛ from q(z|x_observed) and
    wₛ = p(x_observed|zₛ) p(zₛ) / q(zₛ|x_observed). Any other model gives its reconstruction.
    Observed values stay as they are. The same arguments give the same values.
    Source: [mattei2019], eq. 12.

    context: labels [N] or features [N, C] for a conditional model.
    samples: codes drawn for each row.

    Raises:
        RecipeError: `samples` or `batch_size` is not a positive whole number.
    """
    check_value(samples, Count, "samples")

    def filled(rows: Tensor, features: Tensor | None) -> Tensor:
        prior, code = model.prior(features), model.encode(rows, features)
        if prior is None or code.q is None:
            mean = model.decode(code.z, features).mean
        else:
            code = model.encode(rows, features, samples=samples)
            assert code.q is not None  # as before
            px = model.decode(code.z, features)
            weights = px.log_prob(rows) + prior.log_prob(code.z) - code.q.log_prob(code.z)
            mean = (weights.softmax(0).unsqueeze(-1) * px.mean).sum(0)
        return torch.where(torch.isnan(rows), mean, rows).float()

    with seeded(seed, next(model.parameters()).device):  # type: ignore[attr-defined]  # an nn.Module
        found = in_batches(model, x, filled, "imputing", batch_size, context)
    return torch.cat(found).to(x.device)
