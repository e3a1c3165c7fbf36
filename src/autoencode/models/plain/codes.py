"""Bottlenecks and priors as lines of code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.models.plain.lines import Facts, number, shape
from autoencode.parts.bottlenecks import bounded, plain
from autoencode.parts.bottlenecks.sparse import TopK
from autoencode.parts.priors.learned import LOG_SCALE_RANGE, NormalMixture
from autoencode.parts.priors.simple import StandardNormal, UniformInBox


@dataclass(frozen=True)
class BottleneckLines:
    """A bottleneck.

    encode: body of `encode`, with {h} for the outputs of the encoder network.
    posterior: body of `posterior`, which returns mean and log variance; empty without a posterior.
    sample: lines of the loss that compute z from `inputs`.
    log_q: lines of the loss that compute log_q = ln q(z|x), (N,).
    normal: whether q(z|x) is a normal distribution of z itself.
    modules: lines of `__init__`.
    """

    encode: list[str]
    sample: list[str]
    posterior: tuple[str, ...] = ()
    log_q: tuple[str, ...] = ()
    normal: bool = False
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class PriorLines:
    """A prior.

    log_prob: an expression of ln p(z), (N,) or a number.
    sample: an expression of as many samples as codes z; None if there is no short one.
    modules, definitions: lines of `__init__`, and of classes before the model.
    """

    log_prob: str
    sample: str | None
    modules: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()


def _encoded(facts: Facts) -> list[str]:
    return [f"z = model.encode(inputs{facts.given})"]


def _point(facts: Facts, part: Any) -> BottleneckLines:
    return BottleneckLines(["return {h}"], _encoded(facts))


def _rectified(facts: Facts, part: Any) -> BottleneckLines:
    return BottleneckLines(["return F.relu({h})"], _encoded(facts))


def _squashed(facts: Facts, part: Any) -> BottleneckLines:
    return BottleneckLines(["return torch.tanh({h})"], _encoded(facts))


def _top_k(facts: Facts, part: TopK) -> BottleneckLines:
    modules: tuple[str, ...] = ()
    h = f"{{h}}{facts.flat_z}"
    if list(part.normalise.buffers()):
        modules = (
            "# The package averages the running statistics from the first batch on.",
            f"self.normalise = nn.BatchNorm1d({facts.sizes.latent}, affine=False)",
        )
        h = f"self.normalise({h})"
    back = f".unflatten(1, {facts.sizes.z})" if facts.flat_z else ""
    body = [
        f"h = F.relu({h})",
        f"largest, places = h.topk({part.k})",
        f"return torch.zeros_like(h).scatter(1, places, largest){back}",
    ]
    return BottleneckLines(body, _encoded(facts), modules=modules)


def _posterior(limits: tuple[float, float]) -> tuple[str, ...]:
    low, high = map(number, limits)
    return (
        "mean, log_variance = {h}.chunk(2, 1)",
        f"return mean, log_variance.clamp({low}, {high})",
    )


def _gaussian(facts: Facts, part: Any) -> BottleneckLines:
    given = facts.given
    return BottleneckLines(
        [f"return self.posterior(x{given})[0]"],
        [
            f"mean, log_variance = model.posterior(inputs{given})",
            "z = mean + (log_variance / 2).exp() * torch.randn_like(mean)",
        ],
        _posterior(plain.LOG_VARIANCE_RANGE),
        (
            "squares = (z - mean).square() / log_variance.exp()",
            "log_q = -(squares + log_variance + math.log(2 * math.pi))" + facts.sum_z + " / 2",
        ),
        normal=True,
    )


def _bounded(facts: Facts, part: Any) -> BottleneckLines:
    given = facts.given
    return BottleneckLines(
        [f"return torch.tanh(self.posterior(x{given})[0])"],
        [
            f"mean, log_variance = model.posterior(inputs{given})",
            "e = mean + (log_variance / 2).exp() * torch.randn_like(mean)",
            "z = torch.tanh(e)",
        ],
        _posterior(bounded.LOG_VARIANCE_RANGE),
        (
            "squares = (e - mean).square() / log_variance.exp()",
            "log_normal = -(squares + log_variance + math.log(2 * math.pi)) / 2",
            "# ln |dz/de| = ln(1 - tanh² e), in a form that is exact for large e.",
            "log_slope = 2 * (math.log(2) - e - F.softplus(-2 * e))",
            "log_q = (log_normal - log_slope)" + facts.sum_z,
        ),
    )


def _normal(facts: Facts, part: Any) -> PriorLines:
    log_prob = f"-(z.square() + math.log(2 * math.pi)){facts.sum_z} / 2"
    return PriorLines(log_prob, "torch.randn_like(z)")


def _uniform(facts: Facts, part: Any) -> PriorLines:
    return PriorLines(f"-{facts.sizes.latent} * math.log(2)", "2 * torch.rand_like(z) - 1")


def _mixture(facts: Facts, part: NormalMixture) -> PriorLines:
    if facts.sizes.context:
        raise facts.refuse('Prior "mixture" with a context')
    k, low, high = part.components, *map(number, LOG_SCALE_RANGE)
    size = f"{k}, {', '.join(map(str, facts.sizes.z))}"
    spread = "" if part.spread == 1 else f"{number(part.spread)} * "
    over = ".sum(2)" if len(facts.sizes.z) == 1 else ".flatten(2).sum(2)"
    definition = [
        "class Mixture(nn.Module):",
        f'    """p(z): {k} normal components with learned weights, means and scales."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        f"        self.log_weights = nn.Parameter(torch.zeros({k}))",
        f"        self.means = nn.Parameter({spread}torch.randn({size}))",
        f"        self.log_scales = nn.Parameter(torch.zeros({size}))",
        "",
        "    def log_joint(self, z):",
        f'        """ln p(z, k) in nats, {shape((k,))}, of codes {shape(facts.sizes.z)}."""',
        f"        scales = self.log_scales.clamp({low}, {high}).exp()",
        "        squares = (z[:, None] - self.means).square() / scales.square()",
        "        log_normal = -(squares / 2 + scales.log() + math.log(2 * math.pi) / 2)",
        f"        return self.log_weights.log_softmax(0) + log_normal{over}",
    ]
    return PriorLines(
        "model.prior.log_joint(z).logsumexp(1)",
        None,
        ("self.prior = Mixture()",),
        tuple(definition),
    )


BOTTLENECKS: Mapping[type[Any], Callable[[Facts, Any], BottleneckLines]] = {
    plain.Point: _point,
    plain.Rectified: _rectified,
    plain.Gaussian: _gaussian,
    bounded.Squashed: _squashed,
    bounded.Bounded: _bounded,
    TopK: _top_k,
}
PRIORS: Mapping[type[Any], Callable[[Facts, Any], PriorLines]] = {
    StandardNormal: _normal,
    UniformInBox: _uniform,
    NormalMixture: _mixture,
}
