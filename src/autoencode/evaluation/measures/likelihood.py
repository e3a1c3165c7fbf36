"""How likely test examples are: the evidence bound, and ln p(x) by importance sampling."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.likelihood import has_likelihood, likelihood_bounds
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record

# Pixels kept in a byte: a density of values in [0, 1] is one of levels after so many bits.
BITS = 8
# Likelihoods of bits, and those that are no density at all.
DISCRETE, UNNORMALISED = ("bernoulli",), ("ms-ssim",)


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """ELBO, negative log-likelihood and bits per dimension of models that have a density."""
    kind, test = subject.recipe.likelihood.kind, subject.test
    told = subject.told(test)
    if kind in UNNORMALISED or not has_likelihood(subject.model, test.x, told):
        return
    # Evenly spread: parts of a test set may be harder than others.
    chosen = slice(None, None, max(1, len(test) // subject.images))
    x = test.x[chosen]
    n, samples = len(x), subject.samples
    found = likelihood_bounds(
        subject.model, x, None if told is None else told[chosen], samples, seed=SEED
    )
    how = f"{samples:,} samples for each of {_which(n, len(test))}; {_pixels(subject)}"
    for name, nats, what in (
        ("negative_elbo", -found.elbo, "−ELBO, an upper bound of −ln p(x)"),
        ("nll", -found.log_likelihood, "−ln p(x) by importance sampling from the posterior"),
    ):
        yield Record(name, nats.mean().item(), "nats", n, f"{what}; {how}.", bootstrap(nats))
    pixels = subject.model.sizes.pixels * math.log(2)
    bits = (-found.log_likelihood).double() / pixels
    note = "nll per number of an example"
    if kind not in DISCRETE:
        bits += BITS
        note += f", as that of one of {2**BITS} levels, without dequantisation"
    yield Record(
        "bits_per_dimension", bits.mean().item(), "bits", n, f"{note}; {how}.", bootstrap(bits)
    )


def _which(n: int, of: int) -> str:
    return f"the {n:,} test examples" if n == of else f"{n:,} evenly spread test examples"


def _pixels(subject: EvaluationContext) -> str:
    binarised = subject.data.options.get("binarise")
    if binarised:
        return f"pixels drawn black or white once ({binarised} binarisation)"
    if subject.recipe.likelihood.kind in DISCRETE:
        return "greys taken for probabilities of bits, so a score and no likelihood of the greys"
    return "values in [0, 1] as they are"
