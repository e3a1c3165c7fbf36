"""Sentences about a model, each chosen by measured values and quoting them.

Nothing here knows the recipe: a caption describes what a model does, not what it was designed for.
All thresholds are in `autoencode.evaluation.thresholds`.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoencode.evaluation.thresholds import (
    BOX_MARGIN,
    MAX_FEW_EMPTY,
    MAX_FEW_IMPLAUSIBLE,
    MAX_NEAR_PRIOR_MMD,
    MAX_UNIFORM_KS,
    MAX_UNIFORM_RESULTANT,
    MIN_FAR_PRIOR_MMD,
    MIN_MANY_IMPLAUSIBLE,
    MIN_MOST,
    MIN_VALIDATION_RISE,
)
from autoencode.report.formatting import count, short
from autoencode.report.measurements import Interval, PriorMatch, Sparsity


def codes_and_prior(match: PriorMatch) -> str:
    """Whether the codes of the examples follow the prior.

    >>> low, high = (0.0, 0.1), (1.0, 1.1)
    >>> near = PriorMatch(0.001, "normal", low, high, low, high, 0.012, 0, 0, 0)
    >>> codes_and_prior(near)[:71]
    'Codes sampled from the posteriors follow the prior closely: MMD² is 0.0'
    """
    if match.shape == "box":
        even = match.mmd <= MAX_NEAR_PRIOR_MMD and match.ks <= MAX_UNIFORM_KS
        return (
            f"Codes sampled from the posteriors are {'' if even else 'not '}spread evenly over the "
            f"box: the largest Kolmogorov–Smirnov distance of a coordinate from the uniform "
            f"distribution is {match.ks:.2f}, MMD² to the prior is {_mmd(match.mmd)}, and "
            f"{match.near_walls:.1%} of the coordinates are within {BOX_MARGIN} of a wall "
            f"({BOX_MARGIN:.1%} under the prior)."
        )
    if match.shape == "sphere":
        even = match.mmd <= MAX_NEAR_PRIOR_MMD and match.resultant <= MAX_UNIFORM_RESULTANT
        return (
            f"Codes sampled from the posteriors are {'' if even else 'not '}spread evenly over the "
            f"sphere: their mean has length {match.resultant:.2f} (0 under the prior), and MMD² to "
            f"the prior is {_mmd(match.mmd)}."
        )
    if match.mmd <= MAX_NEAR_PRIOR_MMD:
        verdict = "follow the prior closely"
    elif match.mmd < MIN_FAR_PRIOR_MMD:
        verdict = "deviate from the prior"
    else:
        verdict = "are far from the prior"
    learned = "learned " if match.shape == "learned" else ""
    return (
        f"Codes sampled from the posteriors {verdict.replace('the ', f'the {learned}')}: MMD² is "
        f"{_mmd(match.mmd)}, and {match.outside:.1%} of the codes are outside the region that "
        f"holds 99% of the prior. Over the latent dimensions, their means are {_span(match.means)} "
        f"(prior: {_span(match.prior_means)}) and their standard deviations "
        f"{_span(match.deviations)} (prior: {_span(match.prior_deviations)})."
    )


def codes_alone(low: float, high: float, deviations: Interval) -> str:
    """The extent of codes that have no prior to be compared with."""
    return (
        f"Code values range from {short(low)} to {short(high)}; the standard deviations of the "
        f"latent dimensions are {_span(deviations)}."
    )


def sparse_codes(found: Sparsity) -> str:
    """How many values of a code are not 0."""
    unused = ""
    if found.unused:
        unused = f"; {count(found.unused)} dimensions are 0 for all of these examples"
    return (
        f"A code has {found.active:.1f} nonzero values on average, of {count(found.latent)} latent "
        f"dimensions ({found.active / found.latent:.1%}){unused}."
    )


def empty_regions(source: str, share: float | None) -> str:
    """How many random codes from a source are where no test codes are."""
    if share is None:
        return f"The codes are sampled from {source}."
    if share <= MAX_FEW_EMPTY:
        verdict = "Few of them are"
    elif share < MIN_MOST:
        verdict = "Some of them are"
    else:
        verdict = "Most of them are"
    return (
        f"The codes are sampled from {source}. {verdict} in empty regions: {share:.1%} are farther "
        "from every test code than 99% of the test codes are from their nearest neighbour (1% "
        "expected without empty regions)."
    )


def off_manifold(images: str, share: float | None) -> str:
    """How many generated images are implausible; `images` names them, with a capital letter."""
    if share is None:
        return ""
    if share <= MAX_FEW_IMPLAUSIBLE:
        verdict = "rarely implausible"
    elif share < MIN_MANY_IMPLAUSIBLE:
        verdict = "sometimes implausible"
    else:
        verdict = "often implausible, off the data manifold"
    return (
        f"{images} are {verdict}: {share:.1%} are farther, in pixels, from every test image than "
        "99% of the reconstructions are from the nearest other test image."
    )


def empty_regions_of_models(shares: Mapping[str, float | None]) -> str:
    """How many random codes of each model are where none of its test codes are."""
    return _of_models(
        "Codes that are farther from every test code than 99% of the test codes are from their "
        "nearest neighbour",
        shares,
    )


def off_manifold_of_models(images: str, shares: Mapping[str, float | None]) -> str:
    """How many generated images of each model are implausible; `images` names them."""
    return _of_models(
        f"{images} that are farther, in pixels, from every test image than 99% of the model's "
        "reconstructions are from the nearest other test image",
        shares,
    )


def _of_models(what: str, shares: Mapping[str, float | None]) -> str:
    values = [f"{each:.1%} ({name})" for name, each in shares.items() if each is not None]
    return f"{what}: {', '.join(values)}." if values else ""


def label_agreement(what: str, share: float, chance: float) -> str:
    """How often neighbours have the same label; `what` is "codes" or "points"."""
    return (
        f"The nearest neighbour has the same label for {share:.0%} of the {what} ({chance:.0%} "
        "expected if labels were assigned at random)."
    )


def denoising(before: float, after: float) -> str:
    """Whether denoising brings images nearer to the clean ones; mean squared errors."""
    verb = "reduces" if after < before else "does not reduce"
    return (
        f"On these examples, denoising {verb} the mean squared error: {short(before)} for the "
        f"corrupted images, {short(after)} for the denoised ones."
    )


def reconstruction(median: float, explained: float | None) -> str:
    """How near reconstructions are to the originals."""
    start = f"The median squared error is {short(median)}."
    if explained is None:
        return start
    if explained <= 0:
        return (
            f"{start} The reconstructions are no better than the mean image (R² {explained:.2f})."
        )
    return f"{start} The reconstructions explain {explained:.0%} of the variance of the test set."


def validation(last_step: int, last: float, best_step: int, best: float) -> str:
    """Whether the validation error rose towards the end of training."""
    words = f"At step {count(last_step)} the validation squared error is {short(last)}"
    if last > best * (1 + MIN_VALIDATION_RISE):
        return f"{words}, above its minimum of {short(best)} at step {count(best_step)}."
    return f"{words}; it did not rise towards the end of training."


def progress(first_step: int, first: float, last_step: int, last: float) -> str:
    """How the error of some images changed from the first to the last snapshot."""
    verb = "falls" if last < first else "does not fall: it goes"
    return (
        f"From step {count(first_step)} to step {count(last_step)}, the mean squared error of "
        f"these images {verb} from {short(first)} to {short(last)}."
    )


def _mmd(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else "below 0.001"


def _span(interval: Interval) -> str:
    """A range of values with two decimals, a single value where both ends are equal."""
    low, high = (
        f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") for value in interval
    )
    return low if low == high else f"{low} to {high}"
