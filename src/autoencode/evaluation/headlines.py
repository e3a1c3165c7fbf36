"""The metrics to show first for a model, by what the model is for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoencode.models.linear_checks import has_place_for_path, linear_path, may_start_at_pca

if TYPE_CHECKING:
    from autoencode.models.recipe import Recipe

# What may help a model that is worse than PCA.
PCA_ADVICE = "More steps, a wider network or more latent dimensions may help."
PATH_ADVICE = (
    "A training that begins at PCA does not end worse on validation examples: "
    "--set network.linear=pca."
)
# Kinds of terms whose unweighted value is KL(q(z|x) ‖ p(z)).
KL_TERMS = ("kl", "cluster-kl")


@dataclass(frozen=True)
class Headline:
    """One metric in words.

    title: "MSE".   value: with its unit, "5.77 nats".
    metric: the name of the metric, "squared_error" or "terms.kl".
    note: what the value was taken over, without a full stop; may be empty.
    """

    title: str
    value: str
    metric: str
    note: str = ""


def headlines(recipe: Recipe, metrics: Mapping[str, Any]) -> list[Headline]:
    """The metrics to show first, from a recipe and the metrics of a run (`Evaluation.to_dict`).

    First what the model is for: the error after denoising where inputs are corrupted, the active
    units of a sparse code, the classification error of a model that learns labels. Then the squared
    error with its reduction beside that of PCA, R² of vectors, the accuracy of categorical columns,
    the KL, −log p(x|z) with its likelihood, and bits per dimension. A metric that was not measured
    is left out.
    """
    return [
        *_of_purpose(metrics),
        *_squared_error(metrics),
        *_imputation(metrics),
        *_kl(recipe, metrics),
        *_log_likelihood(recipe, metrics),
        *_bits(metrics),
    ]


def pca_words(metrics: Mapping[str, Any]) -> str:
    """The error of PCA and whether the model is better, a phrase; empty if it was not measured."""
    error, dimensions = (metrics.get(name) for name in ("squared_error_of_pca", "pca_dimensions"))
    if error is None or dimensions is None:
        return ""
    words = f"PCA with {dimensions:,} dimension{'' if dimensions == 1 else 's'} {number(error)}"
    if error == 0:
        return f"{words}, as it has as many as an example has values"
    difference = metrics.get("squared_error_above_pca")
    interval = metrics.get("intervals", {}).get("squared_error_above_pca")
    if difference is None or interval is None:
        return words
    return f"{words}: this model is {against_pca(difference, interval)}"


def against_pca(difference: float, interval: Sequence[float]) -> str:
    """Whether a squared error is above or below that of PCA: "worse than PCA, by 4.10 (…)".

    difference, interval: of the error minus that of PCA, on pairs; the interval is of 95 %.

    >>> against_pca(4.1, (3.98, 4.22))
    'worse than PCA, by 4.10 (95 % interval 3.98 to 4.22)'
    >>> against_pca(-0.2, (-0.5, 0.1))
    'not significantly different from PCA (difference −0.200, 95 % interval −0.500 to 0.100)'
    """
    low, high = interval
    if low <= 0 <= high:
        ends = f"95 % interval {number(low, 3)} to {number(high, 3)}"
        return f"not significantly different from PCA (difference {number(difference, 3)}, {ends})"
    ends = " to ".join(number(end, 3) for end in sorted((abs(low), abs(high))))
    word = "worse" if low > 0 else "better"
    return f"{word} than PCA, by {number(abs(difference), 3)} (95 % interval {ends})"


def pca_advice(recipe: Recipe, metrics: Mapping[str, Any]) -> str:
    """What may help if the model is significantly worse than PCA; else empty."""
    low, _ = metrics.get("intervals", {}).get("squared_error_above_pca", (0.0, 0.0))
    # PCA without error has as many dimensions as an example has values: no model is better.
    if not (low > 0 and metrics.get("squared_error_of_pca")):
        return ""
    # A normal posterior ends at the optimum of its bound, which is not that of the squared error.
    free = linear_path(recipe) != "pca" and may_start_at_pca(recipe) and recipe.prior is None
    has_path = has_place_for_path(recipe) and recipe.likelihood.kind in ("gaussian", "laplace")
    return f"{PCA_ADVICE} {PATH_ADVICE}" if free and has_path else PCA_ADVICE


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, with two decimals at most from 1 on.

    >>> number(32.9312), number(0.0420041, 3), number(-1234.5)
    ('32.93', '0.0420', '−1,234')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(2, decimals) if abs(value) >= 1 else decimals}f}".replace("-", "−")


def _of_purpose(metrics: Mapping[str, Any]) -> Iterator[Headline]:
    if (restored := metrics.get("restored_squared_error")) is not None:
        corrupted = number(metrics["corrupted_squared_error"])
        note = f"of corrupted inputs, whose own MSE is {corrupted}; {_reduction(metrics)}"
        yield Headline("Denoising MSE", number(restored), "restored_squared_error", note)
    if (active := metrics.get("active_per_example")) is not None:
        share = metrics["active_share"]
        total = active / share if share else 0.0
        of = f" of {round(total):,}" if 0 < total < math.inf else ""
        note = f"{share:.1%}, mean per example"
        if (dead := metrics.get("dead_share")) is not None:
            note += f"; {dead:.1%} are active for no test example"
        yield Headline("Active units", f"{active:.1f}{of}", "active_per_example", note)
    if (unexplained := metrics.get("unexplained_variance")) is not None:
        note = "squared error, relative to that of the mean example"
        title = "Fraction of variance unexplained"
        yield Headline(title, number(unexplained), "unexplained_variance", note)
    if (wrong := metrics.get("classification_error")) is not None:
        note = "of the test examples, by the model's own classifier"
        yield Headline("Classification error", f"{wrong:.2%}", "classification_error", note)


def _squared_error(metrics: Mapping[str, Any]) -> Iterator[Headline]:
    if (error := metrics.get("squared_error")) is None:
        return
    each = number(metrics["squared_error_per_pixel"], 3)
    note = f"{_reduction(metrics)}; {each} per {_values(metrics)[:-1]}"
    if "restored_squared_error" in metrics:
        note = f"of uncorrupted inputs, {note}"
    if beside := pca_words(metrics):
        note = f"{note}; {beside}"
    yield Headline("MSE", number(error), "squared_error", note)
    if (r2 := metrics.get("r2")) is not None:
        note = "mean over the numeric columns" if "numeric_columns" in metrics else ""
        if (of_pca := metrics.get("r2_of_pca")) is not None:
            note = f"{note}{'; ' if note else ''}PCA {number(of_pca, 3)}"
        yield Headline("R²", number(r2, 3), "r2", note)
    if (right := metrics.get("column_accuracy")) is not None:
        names, shares = metrics["categorical_columns"], metrics["majority_share_per_column"]
        note = (
            f"mean over {len(names):,} categorical column{'s' if len(names) > 1 else ''}; "
            f"{math.fsum(shares) / len(shares):.2%} for the most frequent category of each"
        )
        yield Headline("Category accuracy", f"{right:.2%}", "column_accuracy", note)


def _imputation(metrics: Mapping[str, Any]) -> Iterator[Headline]:
    """The error of filling in hidden cells, beside those of two simple ways."""
    if (ours := metrics.get("imputation")) is None:
        return
    parts = [
        f"of hidden cells, in scaled units; column means {number(metrics['imputation_of_mean'])}"
    ]
    if other := metrics.get("imputation_of_sklearn"):
        change = ours / other - 1
        verdict = "better" if change < 0 else "worse"
        parts.append(
            f"scikit-learn's IterativeImputer {number(other)}: this model is {verdict}, by "
            f"{abs(change):.1%}"
        )
    yield Headline("Imputation RMSE", number(ours), "imputation", "; ".join(parts))


def _kl(recipe: Recipe, metrics: Mapping[str, Any]) -> Iterator[Headline]:
    for name, nats in metrics.get("terms", {}).items():
        if name in recipe.terms and recipe.terms[name].kind in KL_TERMS:
            yield Headline("KL", f"{number(nats)} nats", f"terms.{name}")
            return
    if "kl_per_dimension" in metrics:
        nats = math.fsum(metrics["kl_per_dimension"])
        yield Headline("KL", f"{number(nats)} nats", "kl_per_dimension")


def _log_likelihood(recipe: Recipe, metrics: Mapping[str, Any]) -> Iterator[Headline]:
    for name, value in metrics.get("terms", {}).items():
        if name in recipe.terms and recipe.terms[name].kind == "reconstruction":
            unit = metrics.get("units", {}).get(f"terms.{name}", "nats")
            title = "−log p(x|z)" if unit == "nats" else "Reconstruction loss"
            note = f"{recipe.likelihood.kind} likelihood"
            yield Headline(title, f"{number(value)} {unit}".strip(), f"terms.{name}", note)


def _bits(metrics: Mapping[str, Any]) -> Iterator[Headline]:
    if (bits := metrics.get("bits_per_dimension")) is not None:
        note = "an upper bound by importance sampling"
        yield Headline("Bits per dimension", number(bits), "bits_per_dimension", note)


def _values(metrics: Mapping[str, Any]) -> str:
    """What an example consists of, "pixels" or "values"."""
    return "pixels" if "pixels" in metrics.get("units", {}).get("squared_error", "") else "values"


def _reduction(metrics: Mapping[str, Any]) -> str:
    """How squared errors are reduced: "summed over 784 pixels"."""
    total, each = (metrics.get(f"squared_error{end}", 0.0) for end in ("", "_per_pixel"))
    observed = 1 - metrics.get("missing_share", 0.0)
    ratio = total / each / observed if each and observed else 0.0
    count = f"{round(ratio):,} " if 0 < ratio < math.inf else ""
    return f"summed over {count}{_values(metrics)}"
