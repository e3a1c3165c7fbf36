"""Denoising by a model and by classical filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from skimage.filters import median
from skimage.restoration import denoise_bilateral, denoise_nl_means

from autoencode.data import scaled
from autoencode.evaluation import reconstruct, squared_error
from autoencode.models.inference import seeded
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand

SIGMA = 0.5
# Validation images on which the best settings of each filter are chosen.
VALIDATION_IMAGES = 200
Filter = Callable[[np.ndarray], np.ndarray]


def denoising(runner: ProofRunner) -> list[Claim | str]:
    """Squared error of the model and of three filters, each with the best of many settings."""
    trained = runner.train(TrainCommand("conv-denoising-ae"))
    model, data = trained.model, trained.data
    device = next(model.parameters()).device
    with seeded(1, device):
        clean = scaled(data.validation.x[: runner.limit(VALIDATION_IMAGES)])
        validation = clean.numpy(), model.corruption(clean).numpy()
        test = scaled(data.test.x[: runner.limit(10_000)])
        noisy = model.corruption(test)
    restored = squared_error(test, reconstruct(model, noisy)).mean().item()
    notes, errors = [], {}
    for name, settings in filters().items():
        best = min(settings, key=lambda each: _error(settings[each], *validation))
        errors[name] = _error(settings[best], test.numpy(), noisy.numpy())
        notes.append(f"{name} ({best}) {errors[name]:.2f}")
    best = min(errors.values())
    before = squared_error(test, noisy).mean().item()
    return [
        Claim(
            f"squared error of the best filter, divided by the squared error of the model: "
            f"Gaussian noise with σ = {SIGMA}, values clipped to [0, 1], test images",
            [best / restored],
            at_least=3.0,
        ),
        f"Squared errors: noisy images {before:.2f}; {'; '.join(notes)}; model {restored:.2f}. "
        f"Each filter has the settings that are best on {VALIDATION_IMAGES} validation images.",
    ]


def filters() -> dict[str, dict[str, Filter]]:
    """For each filter, its functions by the name of their settings."""
    return {
        "median": {
            f"{side}×{side}": lambda x, s=side: median(x, np.ones((s, s))) for side in (3, 5, 7)
        },
        "bilateral": dict(_bilateral()),
        "non-local means": dict(_non_local()),
    }


def _bilateral() -> Iterator[tuple[str, Filter]]:
    for colour in (0.3, 0.6, 1.0, 2.0):
        for space in (0.7, 1.0, 1.5):
            name = f"σ of values {colour}, of positions {space}"
            yield (
                name,
                lambda x, context=colour, s=space: denoise_bilateral(
                    x, sigma_color=context, sigma_spatial=s
                ),
            )


def _non_local() -> Iterator[tuple[str, Filter]]:
    # At 0 and 1 half of the noise is clipped, so less than σ may be better.
    for sigma in (0.0, 0.3, SIGMA):
        for patch in (3, 5, 7):
            for h in (0.1, 0.2, 0.4, 0.6, 0.9, 1.3):
                name = f"patches of {patch}×{patch}, σ = {sigma}, h = {h}"
                yield (
                    name,
                    lambda x, p=patch, h=h, s=sigma: denoise_nl_means(
                        x, patch_size=p, patch_distance=9, h=h, sigma=s, fast_mode=True
                    ),
                )


def _error(restore: Filter, clean: np.ndarray, noisy: np.ndarray) -> float:
    """Squared error summed over pixels, mean over images [N, H, W]."""
    restored = np.stack([restore(image) for image in noisy]).clip(0, 1)
    return float(np.square(restored - clean).sum((1, 2)).mean())
