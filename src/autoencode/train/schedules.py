"""The learning rate of each step."""

from __future__ import annotations

import math

from autoencode.train.settings import Settings

# Cycles of a training, or drops and one, where their length is not given.
CYCLES = 4
FACTOR = 0.1


def learning_rate(settings: Settings, step: int, total: int) -> float:
    """The learning rate of update `step` (from 0) of `total`.

    It rises linearly over `warmup` steps. After that it follows the schedule:

    constant: it stays at `lr`.
    cosine: it falls to 0 along half a cosine until the last step [loshchilov2017].
    restarts: the same in each cycle of `schedule_steps` steps, from `lr` anew [loshchilov2017].
    cyclic: in each cycle it rises linearly from `schedule_factor` · lr to `lr` and falls back, the
        triangular policy [smith2017].
    step: it is multiplied by `schedule_factor` after each `schedule_steps` steps.
    """
    warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    after = max(0, step - settings.warmup)
    return settings.lr * warm * _share(settings, after, max(1, total - settings.warmup))


def _share(settings: Settings, step: int, span: int) -> float:
    """The share of `lr` at a step after the warm-up, which is followed by `span` steps."""
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "cosine":
        return _cosine(min(1.0, step / span))
    cycle = settings.schedule_steps or max(1, math.ceil(span / CYCLES))
    place = step % cycle / cycle
    if settings.schedule == "restarts":
        return _cosine(place)
    factor = FACTOR if settings.schedule_factor is None else settings.schedule_factor
    if settings.schedule == "step":
        return float(factor ** (step // cycle))
    return factor + (1 - factor) * (1 - abs(2 * place - 1))


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))
