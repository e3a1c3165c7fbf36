"""The training objective on test data; and the error after denoising of corrupted inputs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.measures.reconstruction import squared_error_unit
from autoencode.evaluation.metrics.quality import squared_error
from autoencode.evaluation.records import TERM_PREFIX, Record
from autoencode.models.build import Model
from autoencode.models.critics import critic_terms, evaluation_objective
from autoencode.models.describe import term_unit
from autoencode.models.inference import seeded
from autoencode.models.label_model import LabelModel
from autoencode.models.recipe import Recipe
from autoencode.parts import BOTTLENECKS

DENOISING = {
    "restored_squared_error": "Reconstructions of corrupted examples, against the clean examples.",
    "corrupted_squared_error": "For reference: the corrupted examples, against the clean ones.",
}


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """The loss and each of its terms, in the unit of the term, and the error after denoising."""
    model, recipe, n = ctx.model, ctx.recipe, len(ctx.test)
    objective = evaluation_objective(model)
    left_out = needing_critics(model)
    denoised: dict[str, list[Tensor]] = {name: [] for name in DENOISING}

    def sums(x: Tensor, context: Tensor | None) -> dict[str, float]:
        output = objective(x, context)
        if recipe.corruption is not None:
            target, inputs = output.forward_pass.x, output.forward_pass.inputs
            restored = output.forward_pass.px.mean.reshape(-1, *target.shape)
            errors = squared_error(target.expand_as(restored).flatten(0, 1), restored.flatten(0, 1))
            denoised["restored_squared_error"].append(errors.reshape(-1, len(x)).mean(0))
            denoised["corrupted_squared_error"].append(squared_error(target, inputs))
        terms = dict(output.terms)
        if isinstance(model, LabelModel):  # labels are not given here: this loss is always 0
            terms.pop("classification", None)
        means = {"loss": output.loss, **{TERM_PREFIX + k: value for k, value in terms.items()}}
        return {name: mean.item() * len(x) for name, mean in means.items() if name not in left_out}

    # The noise of the codes drawn here is the same for every model and every evaluation.
    with seeded(SEED, ctx.device):
        batches = ctx.in_batches(sums, "objective")
    for name, note in DENOISING.items():
        if denoised[name]:
            yield ctx.mean(name, torch.cat(denoised[name]), squared_error_unit(ctx), note)
    samples, random = recipe.samples or 1, BOTTLENECKS[recipe.bottleneck.kind].random
    noise = f"; codes drawn from the posterior, {samples} for each, under a fixed seed"
    for name in batches[0]:
        what = "The weighted sum of the terms" if name == "loss" else "Without its weight"
        note = f"{what}, mean over test examples{noise if random else ''}."
        value = sum(batch[name] for batch in batches) / n
        yield Record(name, value, _unit(recipe, name.removeprefix(TERM_PREFIX)), n, note)


def needing_critics(model: Model) -> list[str]:
    """The metrics that cannot be measured, because the critics of the training were not kept."""
    names = [] if model.critics else critic_terms(model.recipe)
    return ["loss", *(f"{TERM_PREFIX}{name}" for name in names)] if names else []


def _unit(recipe: Recipe, name: str) -> str:
    """The unit of a term, or of the loss: "nats", or "" for a number without a unit."""
    if name != "loss":
        return term_unit(recipe, name)
    return "nats" if {term_unit(recipe, term) for term in recipe.terms} == {"nats"} else ""
