"""Rules by which verdicts follow from measured differences, and the sentences that state them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from torch import Tensor

from autoencode.evaluation.kinds import kind_of
from autoencode.evaluation.metrics.significance import estimate, t_interval
from autoencode.report.formatting import short
from autoencode.studies.results import PER_EXAMPLE, Result, Results, metric_name

# Adjusted Rand index of k-means on codes: clusters agree with the classes in part from the first
# value on, and for the most part from the second.
SOME_AGREEMENT, MOST_AGREEMENT = 0.1, 0.5

Expected = Literal["lower", "higher"]


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
class Difference:
    """A mean difference and its noise.

    interval: 95 % interval of the mean; None if nothing is known of the noise.
    pairs: what the differences were taken over: "3 seeds", "one seed".
    """

    mean: float
    interval: tuple[float, float] | None
    pairs: str

    def verdict(self, expected: Expected) -> Verdict:
        """The verdict on the hypothesis that the difference is below (or above) zero."""
        if self.interval is None:
            return Verdict.ONE_SEED
        low, high = self.interval
        if low <= 0 <= high:
            return Verdict.UNDECIDED
        return Verdict.SUPPORTED if (high < 0) == (expected == "lower") else Verdict.NOT_SUPPORTED

    def text(self, *, share: bool = False) -> str:
        """In words; differences of shares in percentage points."""

        def show(value: float) -> str:
            return f"{100 * value:.1f}".replace("-", "−") if share else short(value)

        size = f"difference {show(self.mean)}{' percentage points' if share else ''}"
        if self.interval is None:
            return f"{size}, {self.pairs}"
        low, high = map(show, self.interval)
        return f"{size}, 95 % interval {low} to {high} over {self.pairs}"


@dataclass(frozen=True)
class Evidence:
    """One measured comparison in words, and the verdict that follows from it alone."""

    text: str
    verdict: Verdict


def paired_difference(
    one: Sequence[float], other: Sequence[float], examples: Tensor | None = None
) -> Difference:
    """The mean of `one` minus `other`, paired by seed, with Student's t interval.

    Both are values of the same seeds in the same order. With a single seed the interval is that
    over test examples, if there is one.

    examples: differences of the first seed for each test example, [N].
    """
    differences = [a - b for a, b in zip(one, other, strict=True)]
    mean, pairs = sum(differences) / len(differences), f"{len(differences)} seeds"
    if len(differences) == 1:
        if examples is None or len(examples) < 2:
            return Difference(mean, None, "one seed")
        differences, pairs = examples.tolist(), f"{len(examples):,} test examples of one seed"
    return Difference(mean, t_interval(differences), pairs)


def evidence(
    one: tuple[str, float],
    other: tuple[str, float],
    difference: Difference,
    expected: Expected = "lower",
    *,
    share: bool = False,
) -> Evidence:
    """Two named values and their difference, of which `one` is expected lower or higher."""
    show = percent if share else short
    values = " against ".join(f"{show(value)} ({name})" for name, value in (one, other))
    return Evidence(f"{values}: {difference.text(share=share)}", difference.verdict(expected))


def compare_models(
    results: Results, one: str, other: str, metric: str, expected: Expected = "lower"
) -> Evidence:
    """A metric of two models that were trained with the same seeds."""
    a, b = results.values(one, metric), results.values(other, metric)
    examples = None
    if len(a) == 1 and metric in PER_EXAMPLE and results.data is not None:
        first, second = (results.per_example(model, metric)[0] for model in (one, other))
        examples = first - second
    return evidence(
        (one, results.mean(one, metric)),
        (other, results.mean(other, metric)),
        paired_difference(a, b, examples),
        expected,
        share=kind_of(metric).share,
    )


def compare_examples(
    one: tuple[str, Tensor], other: tuple[str, Tensor], *, share: bool = False
) -> Evidence:
    """Named values of test examples, [seeds, N] each, of which `one` is expected lower."""
    (name, a), (reference, b) = one, other
    difference = paired_difference(a.mean(1).tolist(), b.mean(1).tolist(), a[0] - b[0])
    values = (name, a.mean().item()), (reference, b.mean().item())
    return evidence(*values, difference, share=share)


def compare_with_threshold(results: Sequence[Result], metric: str, threshold: float) -> Evidence:
    """A metric of a model that is expected to exceed a threshold.

    The interval is that over seeds, or of a single seed that over test examples.
    """
    intervals = results[0].metrics.get("intervals", {})
    found = estimate([each[metric] for each in results], intervals.get(metric))
    interval = found.interval and (found.interval[0] - threshold, found.interval[1] - threshold)
    pairs = f"{len(results)} seeds" if len(results) > 1 else "the examples of one seed"
    difference = Difference(found.mean - threshold, interval, pairs if interval else "one seed")
    one, other = (results[0].training.model, found.mean), ("threshold", threshold)
    return evidence(one, other, difference, "higher", share=kind_of(metric).share)


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
    expected: Expected = "lower"
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
    if ari < SOME_AGREEMENT:
        return "classes do not cluster"
    return "classes cluster in part" if ari < MOST_AGREEMENT else "classes cluster"


def percent(share: float) -> str:
    """A share in words: "12.5 %"."""
    return f"{100 * share:.1f} %"


def seed_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean over seeds; of one seed, the value itself."""
    return estimate(values).interval or (values[0], values[0])
