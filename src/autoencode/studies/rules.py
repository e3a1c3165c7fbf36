"""Rules by which findings follow from figures, and the words for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoencode.evaluation.metrics import significance as noise
from autoencode.evaluation.metrics.significance import Estimate, estimate
from autoencode.studies.study import Result, Results

# Adjusted Rand index of k-means on codes: from here on clusters have something of the classes, and
# from there on they are the classes for the most part.
SOME, MOST = 0.1, 0.5


def seen(models: Sequence[Result], figure: str) -> Estimate:
    """A figure of a model's seeds, with what is known of its noise."""
    intervals = models[0].metrics.get("intervals", {})
    return estimate([each[figure] for each in models], intervals.get(figure))


def differ(one: Sequence[Result], other: Sequence[Result], figure: str) -> bool:
    """Whether a figure of two models differs by more than the noise, see `evaluation.noise`."""
    return noise.differ(seen(one, figure), seen(other, figure))


def lower(results: Results, one: str, other: str, figure: str) -> bool | None:
    """Whether a model has the lower figure: None where the two do not differ beyond the noise."""
    if not differ(results.of(one), results.of(other), figure):
        return None
    return bool(results.mean(one, figure) < results.mean(other, figure))


def elbow(sizes: Sequence[float], errors: Sequence[float]) -> int:
    """The position in a falling curve from which more gains less: the farthest below its chord.

    Both axes are scaled to [0, 1], sizes by their logarithm. Source: [satopaa2011].
    """
    x = np.log(np.asarray(sizes, dtype=float))
    y = np.asarray(errors, dtype=float)
    x = (x - x[0]) / (x[-1] - x[0])
    span = y[0] - y[-1]
    if span <= 0:
        return len(y) - 1
    below = 1 - x - (y - y[-1]) / span
    return int(np.argmax(below))


def cluster_words(ari: float) -> str:
    """How well classes cluster, in words, by the adjusted Rand index of k-means on the codes."""
    if ari < SOME:
        return "classes do not cluster"
    return "classes cluster in part" if ari < MOST else "classes cluster"


def percent(share: float) -> str:
    """A share in words: "12.5 %"."""
    return f"{100 * share:.1f} %"


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean over seeds; of one seed, the value itself."""
    return estimate(values).interval or (values[0], values[0])
