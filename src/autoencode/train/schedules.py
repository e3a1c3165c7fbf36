"""The learning rate of each step."""

from __future__ import annotations

import math

from autoencode.train.settings import Settings


def learning_rate(settings: Settings, step: int, total: int) -> float:
    """The learning rate of update `step` (from 0) of `total`.

    It rises linearly over `warmup` steps; then it is constant, or falls to 0 along half a cosine.
    Source: [loshchilov2017].
    """
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "constant":
        return settings.lr * warm
    span = max(1, total - settings.warmup)
    done = min(1.0, max(0, step - settings.warmup) / span)
    return settings.lr * warm * 0.5 * (1 + math.cos(math.pi * done))
