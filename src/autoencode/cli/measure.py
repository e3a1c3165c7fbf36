"""Which measures are asked for, and what they have found, for the verbs that measure a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoencode.errors import RecipeError, did_you_mean
from autoencode.evaluation import MEASURES, QUICK
from autoencode.evaluation.headlines import headlines, number, pca_advice
from autoencode.evaluation.metric_info import metric_info
from autoencode.models.run import Run

# The units that a summary shows; others are sentences, or part of the title.
UNITS = ("nats", "dB")
# The figures of a summary besides the headlines, by the title of their line.
SUMMARY = {
    "reconstruction": ("psnr", "ssim"),
    "codes": ("knn_accuracy",),
    "likelihood": ("negative_elbo", "nll", "bits_per_dimension"),
    "classes": ("linear_probe_accuracy", "kmeans_accuracy", "own_accuracy", "silhouette"),
    "neighbours": ("trustworthiness", "continuity", "intrinsic_dimension"),
    "prior": ("active_units", "aggregate_kl", "mutual_information"),
    "generation": ("frechet_distance", "precision", "recall", "coverage", "label_fidelity"),
    "plausibility": ("gaps", "gaps_in_box"),
    "disentanglement": ("mig", "dci_disentanglement", "sap"),
}


def measures_named(measures: str) -> list[str]:
    """The measures that an option names: "quick,likelihood", or "all".

    Raises:
        RecipeError: there is no such measure.
    """
    groups = {"all": tuple(MEASURES), "quick": QUICK}
    words = [word.strip() for word in measures.split(",")]
    for word in words:
        if word not in MEASURES and word not in groups:
            raise RecipeError(
                f'There is no measure "{word}"', did_you_mean(word, [*groups, *MEASURES])
            )
    return list(dict.fromkeys(name for word in words for name in groups.get(word, (word,))))


def summary_lines(run: Run, metrics: Mapping[str, Any]) -> Iterator[str]:
    """The figures of a run for a person, one a line, with units."""
    yield f"{run.recipe.name} on {metrics['data']}, {metrics['n_test']:,} test examples"
    first = headlines(run.recipe, metrics)
    for each in first:
        yield f"{each.title:20s} {each.value}{f', {each.note}' if each.note else ''}"
        if each.metric == "squared_error" and (advice := pca_advice(run.recipe, metrics)):
            yield f"{'':20s} {advice}"
    for name, value in metrics["terms"].items():
        metric = f"terms.{name}"
        if metric not in {each.metric for each in first}:
            unit = metrics["units"][metric]
            yield f"{metric_info(metric).title:20s} {number(value)} {unit}".rstrip()
    for title, names in SUMMARY.items():
        words = [
            " ".join([metric_info(name).title, value_words(name, metrics[name], metrics["units"])])
            for name in names
            if name in metrics
        ]
        if words:
            yield f"{title:20s} {'; '.join(words)}"
    if left_out := metrics.get("left_out"):
        for reason in dict.fromkeys(left_out.values()):
            listed = ", ".join(name for name, why in left_out.items() if why == reason)
            yield f"{'not measured':20s} {listed}: {reason}"
    summary = run.summary
    compiling = summary.get("compiling_seconds", 0.0)
    compiled = f", compiled in {compiling:.0f} s" if compiling else ""
    yield (
        f"{'training':20s} {summary['steps']:,} steps in {summary['seconds']:.0f} s, "
        f"{summary['images_per_second']:,} images/s ({summary['device']}, {summary['precision']}"
        f"{compiled})"
    )


def value_words(name: str, value: float, units: Mapping[str, str]) -> str:
    """A metric for a person: a share in percent, another number with four significant digits."""
    if metric_info(name).share:
        return f"{value:.2%}"
    words = f"{value:,}" if isinstance(value, int) else number(value)
    return f"{words} {units[name]}" if units.get(name) in UNITS else words
