"""Terms of the loss as lines of code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoencode.models.plain.codes import BottleneckLines, PriorLines
from autoencode.models.plain.inputs import LikelihoodLines
from autoencode.models.plain.lines import Facts, number
from autoencode.parts.terms import elbo, kl, matching, smoothness, sparsity


@dataclass(frozen=True)
class Parts:
    """The lines of the other parts, which terms use; `prior` is None without a prior.

    normal_prior: whether the prior is N(0, I).
    coupled: whether the network couples the examples of a batch, as batch normalisation does.
    """

    bottleneck: BottleneckLines
    likelihood: LikelihoodLines
    prior: PriorLines | None
    normal_prior: bool
    coupled: bool


@dataclass(frozen=True)
class TermLines:
    """A term.

    lines: lines of the loss that compute {name}, (N,) or one number.
    definitions: functions before the loss, each as its lines.
    """

    lines: list[str]
    definitions: tuple[tuple[str, ...], ...] = ()


def _reconstruction(facts: Facts, parts: Parts, term: Any) -> TermLines:
    return TermLines(parts.likelihood.nll)


def _kl_by_dimension(parts: Parts) -> bool:
    return parts.bottleneck.normal and parts.normal_prior


CLOSED_KL = "(mean.square() + log_variance.exp() - 1 - log_variance)"


def _kl(facts: Facts, parts: Parts, term: Any) -> TermLines:
    if _kl_by_dimension(parts):
        return TermLines([f"{{name}} = {CLOSED_KL}{facts.sum_z} / 2"])
    assert parts.prior is not None  # checked with the recipe
    estimate = "# No closed form: ln q(z|x) - ln p(z) at the sampled z, which is right on average."
    log_p = parts.prior.log_prob
    ratio = f"log_q + {log_p[1:]}" if log_p.startswith("-") else f"log_q - {log_p}"
    return TermLines([estimate, *parts.bottleneck.log_q, f"{{name}} = {ratio}"])


def _capacity(facts: Facts, parts: Parts, term: kl.Capacity) -> TermLines:
    inner = _kl(facts, parts, term).lines
    target = number(term.capacity)
    return TermLines([*inner, f"{{name}} = ({{name}}.mean() - {target}).abs()"])


def _free_bits(facts: Facts, parts: Parts, term: kl.FreeBits) -> TermLines:
    if not _kl_by_dimension(parts):
        raise facts.refuse("A free-bits term with a prior that is not normal")
    groups = "" if term.groups == facts.sizes.latent else f".reshape({term.groups}, -1).sum(1)"
    flat = ".flatten()" if facts.flat_z and not groups else ""
    return TermLines(
        [
            f"by_dimension = {CLOSED_KL}.mean(0){flat} / 2",
            f"{{name}} = by_dimension{groups}.clamp(min={number(term.nats)}).sum()",
        ]
    )


def _cluster_kl(facts: Facts, parts: Parts, term: Any) -> TermLines:
    if facts.flat_z:
        raise facts.refuse('Term "cluster-kl" with codes that are feature maps')
    return TermLines(
        [
            "# Closed forms of KL(q(z|x) || p(z|k)), weighted by q(k|x) = p(k|z) at the sampled z.",
            "scales = model.prior.log_scales.clamp(-10, 10).exp()",
            "ratios = log_variance.exp()[:, None] / scales.square()",
            "shifts = (mean[:, None] - model.prior.means).square() / scales.square()",
            "kl_to_cluster = (ratios + shifts - 1 - ratios.log()).sum(2) / 2",
            "log_gamma = model.prior.log_joint(z).log_softmax(1)",
            "log_pi = model.prior.log_weights.log_softmax(0)",
            "{name} = (log_gamma.exp() * (kl_to_cluster + log_gamma - log_pi)).sum(1)",
        ]
    )


def _l1(facts: Facts, parts: Parts, term: Any) -> TermLines:
    return TermLines([f"{{name}} = z.abs(){facts.sum_z}"])


def _l2(facts: Facts, parts: Parts, term: Any) -> TermLines:
    return TermLines([f"{{name}} = z.square(){facts.sum_z} / 2"])


def _kl_sparsity(facts: Facts, parts: Parts, term: sparsity.KLSparsity) -> TermLines:
    return TermLines(
        [
            f"rho, active = {number(term.target)}, torch.sigmoid(z{facts.flat_z}).mean(0)",
            "{name} = rho * (rho / active).log() + (1 - rho) * ((1 - rho) / (1 - active)).log()",
            "{name} = {name}.sum()",
        ]
    )


ESTIMATED_JACOBIAN = (
    "def estimated_squared_jacobian(f, x, probes=1):",
    '    """||df/dx||² of each example, (N,), estimated without bias from random directions."""',
    "    x = x.detach().requires_grad_()",
    "    y, total = f(x), 0",
    "    for _ in range(probes):",
    "        signs = torch.randint_like(y, 2) * 2 - 1",
    "        (row,) = torch.autograd.grad(y, x, signs, create_graph=True)",
    "        total = total + row.square().flatten(1).sum(1)",
    "    return total / probes",
)


def _exact_jacobian(coupled: bool) -> tuple[str, ...]:
    # Without random signs the derivatives of other examples would cancel in the sum.
    signs = "        signs = torch.randint_like(y[:, j], 2) * 2 - 1"
    value = "(signs * y[:, j]).sum()" if coupled else "y[:, j].sum()"
    return (
        "def squared_jacobian(f, x):",
        '    """||df/dx||² of each example, (N,), one backward pass per latent dimension."""',
        "    x = x.detach().requires_grad_()",
        "    y, total = f(x).flatten(1), 0",
        "    for j in range(y.shape[1]):",
        *([signs] if coupled else []),
        f"        (row,) = torch.autograd.grad({value}, x, create_graph=True)",
        "        total = total + row.square().flatten(1).sum(1)",
        "    return total",
    )


def _probes(n: int) -> str:
    return "" if n == 1 else f", probes={n}"


def _contractive(facts: Facts, parts: Parts, term: smoothness.Contractive) -> TermLines:
    exact = facts.sizes.latent <= term.exact_up_to
    f = f"lambda x: model.encode(x{facts.given})" if facts.given else "model.encode"
    if exact:
        call = f"{{name}} = squared_jacobian({f}, inputs)"
        return TermLines([call], (_exact_jacobian(parts.coupled),))
    call = f"{{name}} = estimated_squared_jacobian({f}, inputs{_probes(term.probes)})"
    return TermLines([call], (ESTIMATED_JACOBIAN,))


def _decoder_smooth(facts: Facts, parts: Parts, term: smoothness.DecoderSmooth) -> TermLines:
    f = f"lambda z: model.decode(z{facts.given})" if facts.given else "model.decode"
    call = f"{{name}} = estimated_squared_jacobian({f}, z{_probes(term.probes)})"
    return TermLines([call], (ESTIMATED_JACOBIAN,))


def _prior_samples(facts: Facts, parts: Parts, term: str) -> str:
    assert parts.prior is not None  # checked with the recipe
    if parts.prior.sample is None:
        assert facts.recipe.prior is not None
        raise facts.refuse(f'Term "{term}" with prior "{facts.recipe.prior.kind}"')
    sample = parts.prior.sample
    return f"({sample}){facts.flat_z}" if facts.flat_z else sample


def _mmd(facts: Facts, parts: Parts, term: matching.MaximumMeanDiscrepancy) -> TermLines:
    width = number(2 * facts.sizes.latent * term.scale**2)
    scales = ", ".join(map(number, term.scales)) + ("," if len(term.scales) == 1 else "")
    imq = term.kernel == "imq"
    each = f"{width} * r / ({width} * r + squares)" if imq else f"(-squares / ({width} * r)).exp()"
    kernel = (
        "def kernel(a, b):",
        f'    """The {term.kernel} kernel of all pairs of codes, (N, N), a mean over scales r."""',
        "    squares = (a[:, None] - b).square().sum(2)",
        f"    scales = ({scales})",
        f"    return sum({each} for r in scales) / len(scales)",
    )
    mmd = (
        "def mmd(a, b):",
        '    """Squared maximum mean discrepancy of samples (N, d), without bias."""',
        "    n, k_a, k_b = len(a), kernel(a, a), kernel(b, b)",
        "    within = k_a.sum() - k_a.trace() + k_b.sum() - k_b.trace()",
        "    return within / (n * (n - 1)) - 2 * kernel(a, b).mean()",
    )
    samples = _prior_samples(facts, parts, "mmd")
    return TermLines([f"{{name}} = mmd(z{facts.flat_z}, {samples})"], (kernel, mmd))


def _sliced(facts: Facts, parts: Parts, term: matching.SlicedWasserstein) -> TermLines:
    definition = (
        "def sliced_wasserstein(a, b):",
        '    """Squared 2-Wasserstein distance of samples (N, d), averaged over directions."""',
        f"    directions = torch.randn({term.projections}, a.shape[1], dtype=a.dtype)",
        "    directions = F.normalize(directions.to(a.device), dim=1)",
        "    a, b = ((z @ directions.T).sort(0).values for z in (a, b))",
        "    return (a - b).square().mean()",
    )
    samples = _prior_samples(facts, parts, "sliced-wasserstein")
    call = f"{{name}} = sliced_wasserstein(z{facts.flat_z}, {samples})"
    return TermLines([call], (definition,))


TERMS: Mapping[type[Any], Callable[[Facts, Parts, Any], TermLines]] = {
    elbo.Reconstruction: _reconstruction,
    elbo.KL: _kl,
    elbo.ClusterKL: _cluster_kl,
    kl.Capacity: _capacity,
    kl.FreeBits: _free_bits,
    sparsity.L1: _l1,
    sparsity.L2: _l2,
    sparsity.KLSparsity: _kl_sparsity,
    smoothness.Contractive: _contractive,
    smoothness.DecoderSmooth: _decoder_smooth,
    matching.MaximumMeanDiscrepancy: _mmd,
    matching.SlicedWasserstein: _sliced,
}
