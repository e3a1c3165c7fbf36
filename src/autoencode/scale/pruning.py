"""Pruning: a training whose validation error is high is ended before its last step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from autoencode.errors import Pruned
from autoencode.scale.objectives import SweepMetric

# Complete trials that a median needs, and the share of the validations before the first check.
MIN_TRIALS, WARM_UP = 5, 0.25


@dataclass(frozen=True)
class MedianRule:
    """Ends a training whose metric at a validation is above the median of complete trials.

    This is the median stopping rule of Golovin et al., "Google Vizier" (2017), with the value of
    the validation itself.

    metric: lower is better.   medians: step -> the median at the validation of this step.
    """

    metric: SweepMetric
    medians: Mapping[int, float]

    def __call__(self, step: int, found: Mapping[str, Any]) -> None:
        """Checks the figures of a validation.

        Raises:
            Pruned: the metric is above the median.
        """
        value, limit = self.metric.validated(found), self.medians.get(step)
        if value is not None and limit is not None and value > limit:
            raise Pruned(
                f"Pruned at step {step:,}: {self.metric.name} {value:.4g} on validation, above the "
                f"median {limit:.4g} of the complete trials",
                "Train every trial to its end with --no-prune (prune=False).",
            )


def median_rule(metric: SweepMetric, histories: Iterable[Mapping[int, float]]) -> MedianRule | None:
    """The rule that complete trials give; None while there are too few of them.

    histories: step -> value at the validations of each complete trial, its last step included.

    >>> rule = median_rule(SweepMetric("loss", "lower"), [{10: v, 20: v, 30: 1} for v in range(5)])
    >>> rule.medians
    {10: 2, 20: 2}
    """
    values: dict[int, list[float]] = {}
    for history in histories:
        steps = sorted(history)
        # The last validation is that of the trained model.
        for step in steps[int(WARM_UP * len(steps)) : -1]:
            values.setdefault(step, []).append(history[step])
    medians = {step: median(of) for step, of in values.items() if len(of) >= MIN_TRIALS}
    return MedianRule(metric, medians) if medians else None
