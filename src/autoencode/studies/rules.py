"""Rules by which verdicts follow from measured differences, and the sentences that state them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from torch import Tensor

from autoencode.evaluation.metric_info import Better, metric_info
from autoencode.evaluation.metrics.significance import EXAMPLES, Estimate, difference, estimate
from autoencode.evaluation.thresholds import MIN_AGREEMENT, MIN_PARTIAL_AGREEMENT
from autoencode.report.formatting import short
from autoencode.studies.results import Results, metric_name


class Verdict(StrEnum):
    """Whether measured differences support a hypothesis.

    A difference within its 95 % interval of zero decides nothing; nor does one between two single
    trainings, if there are no paired values of test examples. In rising order.
    """

    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"
    ONE_SEED = "undecided: one seed"
    SUPPORTED = "supported"


@dataclass(frozen=True)
class Finding:
    """A hypothesis, the verdict on it, and the measured values that the verdict follows from."""

    hypothesis: str
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Evidence:
    """One measured comparison in words, and the verdict that follows from it alone."""

    text: str
    verdict: Verdict


def evidence(
    one: tuple[str, Estimate],
    other: tuple[str, Estimate],
    expected: Better = "lower",
    *,
    share: bool = False,
) -> Evidence:
    """Two named estimates of a metric, of which `one` is expected lower or higher.

    Their difference is tested as in `compare_models`.
    """
    (_, a), (_, b) = one, other
    show = percent if share else short
    values = " against ".join(f"{show(each.mean)} ({name})" for name, each in (one, other))
    scale, unit = (100, " percentage points") if share else (1, "")
    text = f"{values}: difference {short(scale * (a.mean - b.mean))}{unit}"
    found = difference(a, b)
    if found is None or found.interval is None:
        return Evidence(f"{text}, one seed", Verdict.ONE_SEED)
    low, high = found.interval
    of = f"{found.test} of one seed" if found.over == EXAMPLES else found.test
    text += f", 95 % interval {short(scale * low)} to {short(scale * high)}, {of}"
    if not found.significant:
        return Evidence(text, Verdict.UNDECIDED)
    lower = found.mean < 0
    supported = lower == (expected == "lower")
    return Evidence(text, Verdict.SUPPORTED if supported else Verdict.NOT_SUPPORTED)


def compare_models(
    results: Results, one: str, other: str, metric: str, expected: Better = "lower"
) -> Evidence:
    """A metric of two models: paired by seed, or with a single seed by test example."""
    a, b = results.estimate(one, metric), results.estimate(other, metric)
    return evidence((one, a), (other, b), expected, share=metric_info(metric).share)


def by_seed(values: Sequence[float], per_example: Tensor | None = None) -> Estimate:
    """The estimate of values for seeds 0, 1, ….   per_example: [N], of a single seed."""
    return estimate(values, None, range(len(values)), per_example)


def compare_examples(
    one: tuple[str, Tensor], other: tuple[str, Tensor], *, share: bool = False
) -> Evidence:
    """Named values of test examples, [seeds, N] each, of which `one` is expected lower."""
    a, b = (
        (name, by_seed(values.double().mean(1).tolist(), values[0]))
        for name, values in (one, other)
    )
    return evidence(a, b, share=share)


def compare_with_threshold(results: Results, model: str, metric: str, threshold: float) -> Evidence:
    """A metric of a model that is expected to exceed a threshold.

    The interval is that over seeds, or of a single seed that over examples.
    """
    found, share = results.estimate(model, metric), metric_info(metric).share
    show = percent if share else short
    text = f"{show(found.mean)} ({model}) against {show(threshold)} (threshold)"
    if found.interval is None:
        return Evidence(f"{text}, one seed", Verdict.ONE_SEED)
    low, high = found.interval
    text += f": 95 % interval {show(low)} to {show(high)} over {found.over}"
    verdict = Verdict.SUPPORTED if low > threshold else Verdict.NOT_SUPPORTED
    return Evidence(text, Verdict.UNDECIDED if low <= threshold <= high else verdict)


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a hypothesis that needs all of its comparisons."""
    return min(verdicts, key=list(Verdict).index)


def some(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a hypothesis that needs one of its comparisons."""
    return max(verdicts, key=list(Verdict).index)


@dataclass(frozen=True)
class Hypothesis:
    """A statement that is made before training and tested on the metrics of models.

    metric: compared between models.   pairs: of models, the first expected lower (or higher).
    combine: the verdict from those of the pairs, `every` or `some`.
    Without a metric the study makes the comparisons itself.
    """

    text: str
    metric: str = ""
    pairs: Sequence[tuple[str, str]] = ()
    expected: Better = "lower"
    combine: Callable[[Iterable[Verdict]], Verdict] = every

    def test(self, results: Results, pairs: Sequence[tuple[str, str]] = ()) -> Finding:
        """The finding from the metric of pairs of models."""
        return self.finding(
            metric_name(self.metric),
            [
                compare_models(results, one, other, self.metric, self.expected)
                for one, other in pairs or self.pairs
            ],
        )

    def finding(self, quantity: str, comparisons: Sequence[Evidence]) -> Finding:
        """The finding from comparisons of a quantity, one or more."""
        text = f"{quantity}: {'; '.join(each.text for each in comparisons)}."
        return Finding(self.text, self.combine(each.verdict for each in comparisons), text)


def elbow(sizes: Sequence[float], errors: Sequence[float]) -> int:
    """The position of the elbow of a falling curve: the point farthest below its chord.

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


def cluster_agreement(ari: float) -> str:
    """How well clusters agree with classes, in words, by the adjusted Rand index of k-means."""
    if ari < MIN_PARTIAL_AGREEMENT:
        return "classes do not cluster"
    return "classes cluster in part" if ari < MIN_AGREEMENT else "classes cluster"


def percent(share: float) -> str:
    """A share in words: "12.5 %"."""
    return f"{100 * share:.1f} %".replace("-", "−")
