"""The likelihood of test examples: the ELBO, ln p(x) by importance sampling, bits per dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.likelihood import has_likelihood, likelihood_bounds, rounding_error
from autoencode.evaluation.records import Record
from autoencode.parts import LIKELIHOODS

# Examples on which the error of bf16 is measured.
CHECKED = 20
# The likelihood of bits, and likelihoods of the 256 levels of 8-bit values.
BITS = "bernoulli"
LEVELS = ("discretised-logistic", "discretised-logistic-mixture")


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """ELBO, negative log-likelihood and bits per dimension of models that have a likelihood."""
    kind, test = ctx.recipe.likelihood.kind, ctx.test
    if not LIKELIHOODS[kind].normalised or not has_likelihood(ctx.model, test.x, ctx.context):
        return
    rows = ctx.evenly_spread(ctx.images)
    x, samples = test.x[rows], ctx.samples
    context = None if ctx.context is None else ctx.context[rows]
    has_levels = test.x.dtype == torch.uint8 or kind in LEVELS
    found = likelihood_bounds(
        ctx.model, x, context, samples, seed=SEED, levels=has_levels, precision=ctx.precision
    )
    which = f"the {len(x):,}" if len(x) == len(test) else f"{len(x):,} evenly spread"
    draws = f"{samples:,} samples for each of {which} test examples"
    how = f"{draws}; {_pixels(ctx)}{_rounding(ctx, x, context)}"
    for name, nats, what in (
        ("negative_elbo", -found.elbo, "−ELBO, an upper bound of −ln p(x)"),
        ("nll", -found.log_likelihood, "−ln p(x) by importance sampling from the posterior"),
    ):
        yield ctx.mean(name, nats, "nats", f"{what}; {how}.", rows)
    log_probability, of_what = found.log_levels, ""
    if log_probability is not None:
        of_what = (
            "the 256 levels of a value (a density is integrated over the interval of each level, "
            "without dequantisation)"
        )
        if test.x.dtype != torch.uint8:
            of_what += "; the values, which are no bytes, are rounded to these levels"
    elif kind == BITS and _is_binary(x):
        log_probability, of_what = found.log_likelihood, "values 0 and 1"
    if log_probability is not None:
        bits = -log_probability.double() / (ctx.model.sizes.pixels * math.log(2))
        note = f"−log₂ of the probability of {of_what}, by importance sampling; {draws}."
        yield ctx.mean("bits_per_dimension", bits, "bits", note, rows)


def _rounding(ctx: EvaluationContext, x: Tensor, context: Tensor | None) -> str:
    """What bf16 changes, measured on examples among x; empty for float32."""
    if ctx.precision != "bf16":
        return ""
    some = slice(None, None, -(-len(x) // CHECKED))
    of_some = None if context is None else context[some]
    error = rounding_error(ctx.model, x[some], of_some, ctx.samples)
    return (
        f"; decoder in bf16: the values of {len(x[some])} of them were also computed in float32, "
        f"and differ by {error:.2g} nats on average"
    )


def _pixels(ctx: EvaluationContext) -> str:
    binarised, kind = ctx.data.options.get("binarise"), ctx.recipe.likelihood.kind
    if binarised:
        return f"pixels drawn black or white once ({binarised} binarisation)"
    if kind == BITS and not _is_binary(ctx.test.x):
        return (
            "grey values as probabilities of bits, so not a likelihood of the grey values, and no "
            "bits per dimension"
        )
    return "probabilities of 256 levels" if kind in LEVELS else "values in [0, 1] as they are"


def _is_binary(x: Tensor) -> bool:
    """Whether every value is 0 or 1, or 0 or 255 in bytes."""
    return bool(((x == 0) | (x == (255 if x.dtype == torch.uint8 else 1))).all())
