"""Likelihoods and corruptions as lines of code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.arguments import argument_value
from autoencode.models.default_likelihood import AUTO
from autoencode.models.plain.lines import Facts, number
from autoencode.parts import corruptions
from autoencode.parts.likelihoods import pixels


@dataclass(frozen=True)
class LikelihoodLines:
    """A likelihood.

    mean: an expression of the images, with {theta} for the outputs of the decoder network.
    nll: lines of the loss that compute `NAME` = −ln p(x|z), (N,), with {name} for NAME.
    logits: whether these use `theta` rather than `images`.
    modules: lines of `__init__`.
    """

    mean: str
    nll: list[str]
    logits: bool = False
    modules: tuple[str, ...] = ()


def _mean(facts: Facts, kind: type[Any]) -> str:
    given = argument_value(kind, facts.recipe.likelihood.args, "mean")
    return "torch.sigmoid({theta})" if (given or "sigmoid") == "sigmoid" else "{theta}"


def _gaussian(facts: Facts, part: pixels.Gaussian) -> LikelihoodLines:
    scale = argument_value(type(part), facts.recipe.likelihood.args, "scale")
    n, squares = facts.sizes.pixels, f"(images - x).square(){facts.sum_x}"
    if scale == pixels.SQUARED_ERROR_SCALE:
        lines = [
            "# -ln p(x|z) of a normal with variance 1/2: the squared error, summed over the values",
            f"# of an example ({n} times torch's mean MSE), plus a constant without gradient.",
            f"{{name}} = {squares} + {n} / 2 * math.log(math.pi)",
        ]
    else:
        variance = f"{number(scale)}**2"
        lines = [
            f"squares = {squares}",
            f"{{name}} = squares / (2 * {variance}) + {n} / 2 * math.log(2 * math.pi * {variance})",
        ]
    return LikelihoodLines(_mean(facts, type(part)), lines)


def _learned(facts: Facts, part: pixels.LearnedScaleGaussian) -> LikelihoodLines:
    scale = argument_value(type(part), facts.recipe.likelihood.args, "scale")
    n = facts.sizes.pixels
    note = "the package starts at a quarter of the deviation of the training examples"
    modules = [] if scale else [f"# Starts at 0.5; {note}."]
    modules.append(f"self.log_scale = nn.ParameterList([torch.tensor({scale or 0.5}).log()])")
    lines = [
        f"log_scale = model.log_scale[0].clamp(min={number(pixels.MIN_LOG_SCALE)})",
        f"squares = (images - x).square(){facts.sum_x}",
        "{name} = squares / (2 * (2 * log_scale).exp())",
        f"{{name}} = {{name}} + {n} * (log_scale + math.log(2 * math.pi) / 2)",
    ]
    return LikelihoodLines(_mean(facts, type(part)), lines, modules=tuple(modules))


def _laplace(facts: Facts, part: pixels.LaplacePixels) -> LikelihoodLines:
    scale, n = number(part.scale), facts.sizes.pixels
    error = f"(images - x).abs(){facts.sum_x}"
    lines = [f"{{name}} = {error} / {scale} + {n} * math.log(2 * {scale})"]
    return LikelihoodLines(_mean(facts, type(part)), lines)


def _bernoulli(facts: Facts, part: Any) -> LikelihoodLines:
    lines = [
        '{name} = F.binary_cross_entropy_with_logits(theta, x, reduction="none")',
        f"{{name}} = {{name}}{facts.sum_x}",
    ]
    if facts.recipe.likelihood.kind == AUTO:
        lines.insert(0, "# For binary or nearly binary values; the package chooses by the data.")
    return LikelihoodLines("torch.sigmoid({theta})", lines, logits=True)


def _noise(facts: Facts, part: corruptions.GaussianNoise) -> list[str]:
    return [f"inputs = (x + {number(part.scale)} * torch.randn_like(x)).clamp(0, 1)"]


def _masking(facts: Facts, part: corruptions.Masking) -> list[str]:
    return [f"inputs = x.masked_fill(torch.rand_like(x) < {number(part.share)}, 0)"]


def _salt_and_pepper(facts: Facts, part: corruptions.SaltAndPepper) -> list[str]:
    share, half = number(part.share), number(part.share / 2)
    return [
        "u = torch.rand_like(x)",
        f"inputs = x.masked_fill(u < {share}, 1).masked_fill(u < {half}, 0)",
    ]


LIKELIHOODS: Mapping[type[Any], Callable[[Facts, Any], LikelihoodLines]] = {
    pixels.Gaussian: _gaussian,
    pixels.LearnedScaleGaussian: _learned,
    pixels.LaplacePixels: _laplace,
    pixels.BernoulliPixels: _bernoulli,
}
# Class of a corruption -> lines of the loss that compute `inputs`.
CORRUPTIONS: Mapping[type[Any], Callable[[Facts, Any], list[str]]] = {
    corruptions.GaussianNoise: _noise,
    corruptions.Masking: _masking,
    corruptions.SaltAndPepper: _salt_and_pepper,
}
