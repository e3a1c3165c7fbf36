"""The likelihood of test examples: the ELBO, and ln p(x) by importance sampling."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.likelihood import has_likelihood, likelihood_bounds
from autoencode.evaluation.records import Record

# Bits of a pixel: a density of values in [0, 1] becomes one of 256 levels.
BITS = 8
# Likelihoods of bits, and likelihoods that are not normalised.
DISCRETE, UNNORMALISED = ("bernoulli",), ("ms-ssim",)


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """ELBO, negative log-likelihood and bits per dimension of models that have a density."""
    kind, test = ctx.recipe.likelihood.kind, ctx.test
    if kind in UNNORMALISED or not has_likelihood(ctx.model, test.x, ctx.context):
        return
    rows = ctx.evenly_spread(ctx.images)
    x, samples = test.x[rows], ctx.samples
    context = None if ctx.context is None else ctx.context[rows]
    found = likelihood_bounds(ctx.model, x, context, samples, seed=SEED)
    which = f"the {len(x):,}" if len(x) == len(test) else f"{len(x):,} evenly spread"
    how = f"{samples:,} samples for each of {which} test examples; {_pixels(ctx)}"
    for name, nats, what in (
        ("negative_elbo", -found.elbo, "−ELBO, an upper bound of −ln p(x)"),
        ("nll", -found.log_likelihood, "−ln p(x) by importance sampling from the posterior"),
    ):
        yield ctx.mean(name, nats, "nats", f"{what}; {how}.", rows)
    bits = -found.log_likelihood.double() / (ctx.model.sizes.pixels * math.log(2))
    note = "nll per value of an example"
    if kind not in DISCRETE:
        bits += BITS
        note += f", as of one of {2**BITS} levels, without dequantisation"
    yield ctx.mean("bits_per_dimension", bits, "bits", f"{note}; {how}.", rows)


def _pixels(ctx: EvaluationContext) -> str:
    binarised = ctx.data.options.get("binarise")
    if binarised:
        return f"pixels drawn black or white once ({binarised} binarisation)"
    if ctx.recipe.likelihood.kind in DISCRETE:
        return "grey values as probabilities of bits, so not a likelihood of the grey values"
    return "values in [0, 1] as they are"
