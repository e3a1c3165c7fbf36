"""The listing of a recipe in plain PyTorch: network, bottleneck and loss."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable
from typing import Any

from torch import nn

from autoencode.arguments import check_value
from autoencode.contract import Adversary, Width
from autoencode.errors import RecipeError
from autoencode.models.assemble import SlotAutoencoder, part
from autoencode.models.build import build_skeleton, sizes_for
from autoencode.models.describe import formula
from autoencode.models.plain.codes import BOTTLENECKS, PRIORS
from autoencode.models.plain.inputs import CORRUPTIONS, LIKELIHOODS
from autoencode.models.plain.lines import Facts, NoPlainForm, indented, number, shape
from autoencode.models.plain.networks import NetworkLines, network_lines
from autoencode.models.plain.terms import TERMS, Parts, TermLines
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import RECIPES
from autoencode.models.schedules import Course
from autoencode.parts import SLOTS
from autoencode.parts.contexts import Labels

MAX_LINE = 100
# Names in the loss that a term may not replace.
RESERVED = frozenset(
    "F Autoencoder Mixture active by_dimension c e estimated_squared_jacobian "
    "h images inputs kernel kl_to_cluster log_gamma log_normal log_pi log_q "
    "log_scale log_slope log_variance loss_of math mean mmd model nn ratios rho scales shifts "
    "sliced_wasserstein squared_jacobian squares theta torch u x z".split()
)
# How to copy the weights of the package's model; the same order, because the layers have it.
COPY = 'model.load_state_dict(dict(zip(model.state_dict(), ae.load("RUN").state_dict().values())))'


def plain_code(recipe: Recipe, x: tuple[int, ...] = (28, 28), classes: int = 10) -> str:
    """The model and the loss of a recipe as a script that imports only torch.

    It defines `Autoencoder`, with the layers of the package's model in the same order, and
    `loss_of(model, x)`, which uses random numbers in the same order as the package.

    x: shape of one example.     classes: number of features that condition a conditional model.

    Raises:
        RecipeError: a part has no form in plain PyTorch (`NoPlainForm`), or the network does not
            support such examples.
    """
    check_value(x, tuple[Width, ...], "data shape")
    if not 1 <= len(x) <= 3:
        raise RecipeError(
            f"Examples have one to three dimensions, and this shape has {len(x)}",
            "For example 30, 28x28 or 3x32x32.",
        )
    try:
        return _code(recipe, x, classes)
    except NoPlainForm as error:
        raise RecipeError(
            error.what, f"Recipes that have one: {', '.join(plain_recipes())}."
        ) from error


def plain_recipes() -> list[str]:
    """The names of the recipes that have a listing."""
    return [name for name, recipe in RECIPES.items() if _is_plain(recipe)]


def _is_plain(recipe: Recipe) -> bool:
    try:
        _code(recipe, (28, 28), 10)
    except NoPlainForm:
        return False
    return True


def _code(recipe: Recipe, x: tuple[int, ...], classes: int) -> str:
    sizes = sizes_for(recipe, x, context=classes if recipe.context else 0)
    facts = Facts(recipe, sizes)
    if recipe.model.kind != "slots":
        raise facts.refuse(f'Model "{recipe.model.kind}"')
    if recipe.samples not in (None, 1):
        raise facts.refuse(f"A loss of {recipe.samples} codes per example (samples)")
    _check_adversaries(facts)
    model = build_skeleton(recipe, sizes)
    if not isinstance(model, SlotAutoencoder):
        raise facts.refuse(f'Network "{recipe.network.kind}"')
    encoder, decoder = network_lines(facts, model)
    parts = _parts(facts, model)
    terms = _terms(facts, parts)
    functions = dict.fromkeys(each for lines in terms.values() for each in lines.definitions)
    blocks = [
        *([list(parts.prior.definitions)] if parts.prior and parts.prior.definitions else []),
        _model_lines(facts, parts, encoder, decoder),
        *map(list, functions),
        _loss_lines(facts, parts, decoder, terms, _corruption(facts, model)),
    ]
    code = "\n\n\n".join("\n".join(block) for block in blocks)
    return "\n".join([*_head(facts), "", *_imports(code), "", "", code]) + "\n"


def _check_adversaries(facts: Facts) -> None:
    """Terms are refused before they are built, because critics have networks."""
    for spec in facts.recipe.terms.values():
        kind = SLOTS["terms"][spec.kind]
        if kind not in TERMS or issubclass(kind, Adversary):
            raise facts.refuse(f'Term "{spec.kind}"')


def _parts(facts: Facts, model: SlotAutoencoder) -> Parts:
    prior = None
    if model.latent_prior is not None:
        prior = _written(facts, PRIORS, "prior", model.latent_prior)
    return Parts(
        _written(facts, BOTTLENECKS, "bottleneck", model.encoder.bottleneck),
        _written(facts, LIKELIHOODS, "likelihood", model.decoder.likelihood),
        prior,
        getattr(facts.recipe.prior, "kind", None) == "normal",
        any(isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d) for each in model.modules()),
    )


def _written(facts: Facts, table: Any, slot: str, module: nn.Module) -> Any:
    writer = table.get(type(module))
    if writer is None:
        kind = getattr(facts.recipe, slot).kind
        raise facts.refuse(f'{slot.capitalize()} "{kind}"')
    return writer(facts, module)


def _terms(facts: Facts, parts: Parts) -> dict[str, TermLines]:
    """Variable of the loss -> the lines of its term."""
    found: dict[str, TermLines] = {}
    for name, spec in facts.recipe.terms.items():
        term = part("terms", spec, facts.sizes)
        variable = name.replace("-", "_")
        while variable in RESERVED | found.keys() or keyword.iskeyword(variable):
            variable += "_term"
        found[variable] = TERMS[type(term)](facts, parts, term)
    functions = {each for lines in found.values() for each in lines.definitions}
    if len({each[0] for each in functions}) < len(functions):
        raise facts.refuse("A second term of the same kind with other arguments")
    return found


def _corruption(facts: Facts, model: SlotAutoencoder) -> list[str]:
    """The lines of the loss that compute `inputs`."""
    if model.corruption is None:
        return []
    lines: list[str] = _written(facts, CORRUPTIONS, "corruption", model.corruption)
    return lines


def _model_lines(
    facts: Facts, parts: Parts, encoder: NetworkLines, decoder: NetworkLines
) -> list[str]:
    """The class of the model."""
    x, z, bottleneck = shape(facts.sizes.x), shape(facts.sizes.z), parts.bottleneck
    given = facts.given
    h, theta = encoder.call.format(m="self", of="x"), decoder.call.format(m="self", of="z")
    setup = [*_sequences(encoder), *bottleneck.modules, *_sequences(decoder)]
    setup += [*parts.likelihood.modules, *(parts.prior.modules if parts.prior else ())]
    note = f"; c {shape((facts.sizes.context,))} conditions both" if given else ""
    methods = [["def __init__(self):", *indented(["super().__init__()", *setup])]]
    if bottleneck.posterior:
        about = f'"""Mean and log variance of the posterior q(z|x), {z} each."""'
        body = [line.format(h=h) for line in bottleneck.posterior]
        methods.append([f"def posterior(self, x{given}):", *indented([about, *body])])
    kind = "the code of the mean" if bottleneck.posterior else "codes"
    about = f'"""Examples x {x} to {kind}, {z}."""'
    body = [line.format(h=h) for line in bottleneck.encode]
    methods.append([f"def encode(self, x{given}):", *indented([about, *body])])
    about = f'"""Codes z {z} to images, {x}."""'
    body = [f"return {parts.likelihood.mean.format(theta=theta)}"]
    methods.append([f"def decode(self, z{given}):", *indented([about, *body])])
    body = [f"codes = self.encode(x{given})", f"return codes, self.decode(codes{given})"]
    methods.append([f"def forward(self, x{given}):", *indented(body)])
    lines = ["class Autoencoder(nn.Module):", f'    """Examples {x}, codes {z}{note}."""']
    for method in methods:
        lines += ["", *indented(method)]
    return lines


def _sequences(network: NetworkLines) -> list[str]:
    lines = []
    for name, layers in network.modules.items():
        one = f"self.{name} = nn.Sequential({', '.join(layers)})"
        # At the indentation of __init__.
        if len(one) + 8 <= MAX_LINE and len(layers) < 3:
            lines.append(one)
        else:
            body = indented([f"{layer}," for layer in layers])
            lines += [f"self.{name} = nn.Sequential(", *body, ")"]
    return lines


def _loss_lines(
    facts: Facts,
    parts: Parts,
    decoder: NetworkLines,
    terms: dict[str, TermLines],
    corruption: list[str],
) -> list[str]:
    """The function that computes the loss of a batch."""
    given = facts.given
    about = f'"""The loss of examples x {shape(facts.sizes.x)}, averaged over them."""'
    clean = [line.replace("inputs", "x") for line in parts.bottleneck.sample]
    body = [*corruption, *(parts.bottleneck.sample if corruption else clean)]
    if parts.likelihood.logits:
        body.append(f"theta = {decoder.call.format(m='model', of='z')}")
    else:
        body.append(f"images = model.decode(z{given})")
    for name, term in terms.items():
        lines = term.lines if corruption else [each.replace("inputs", "x") for each in term.lines]
        body += [line.format(name=name) for line in lines]
    weights = [spec.weight for spec in facts.recipe.terms.values()]
    summands = [
        name if weight == 1 else f"{number(weight)} * {name}"
        for name, weight in zip(terms, weights, strict=True)
    ]
    total = " + ".join(summands)
    body.append(f"return {total if total.isidentifier() else f'({total})'}.mean()")
    return [f"def loss_of(model, x{given}):", *indented([about, *body])]


def _head(facts: Facts) -> list[str]:
    """The comment before the code: what it is, and what it leaves out."""
    recipe, sizes = facts.recipe, facts.sizes
    sentences = [
        f"{recipe.name}: {recipe.about}",
        formula(recipe),
        f"In plain PyTorch, for examples of shape {'×'.join(map(str, sizes.x))} with values in "
        "[0, 1].",
    ]
    if recipe.context and sizes.context:
        source = "one-hot labels" if recipe.context.kind == Labels.name else "vectors"
        hint = f", F.one_hot(labels, {sizes.context}).float()" if "hot" in source else ""
        sentences.append(f"c {shape((sizes.context,))} are {source}{hint}.")
    for address, schedule in recipe.schedules.items():
        course = Course.of(schedule, address)
        sentences.append(f"In training {address} changes {course}; here it has its final value.")
    if (after := (recipe.prior.args if recipe.prior else {}).get("after")) is not None:
        sentences.append(
            f"After {after:,} steps of training the package fits the prior to the codes, which is "
            "not shown here."
        )
    if recipe.sampler is not None:
        sentences.append(
            f'After training the package fits the sampler "{recipe.sampler.kind}" to the codes, '
            "which is not shown here."
        )
    if recipe.training:
        settings = ", ".join(f"{name} {value}" for name, value in recipe.training.items())
        sentences.append(f"Training settings of the recipe: {settings}.")
    sentences.append("The weights of a run of this recipe fit in the same order:")
    lines = [line for each in sentences for line in textwrap.wrap(each, MAX_LINE - 2)]
    return [f"# {line}" for line in [*lines, COPY]]


def _imports(code: str) -> Iterable[str]:
    """The imports that the code uses."""
    if "math." in code:
        yield from ("import math", "")
    if "torch." in code:
        yield "import torch"
    yield "from torch import nn"
    if "F." in code:
        yield "from torch.nn import functional as F"
