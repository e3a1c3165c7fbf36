"""What training minimises, on test data; and what a corruption costs."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.metrics.quality import squared_error
from autoencode.evaluation.records import TERMS, Record
from autoencode.models.build import learns_labels
from autoencode.models.inference import seeded
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe
from autoencode.parts import BOTTLENECKS, SLOTS

CORRUPTED = {
    "restored_squared_error": "What the model makes of corrupted examples, against the clean.",
    "corrupted_squared_error": "For reference: the corrupted examples themselves.",
}


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """The loss and each of its terms, in the term's own unit."""
    model, recipe, n = subject.model, subject.recipe, len(subject.test)
    objective = Objective(model, recipe, model.sizes)
    objective.terms.eval()

    def judge(x: Tensor, context: Tensor | None) -> dict[str, float]:
        output = objective(x, context)
        terms = dict(output.terms)
        if learns_labels(recipe):  # it is given no labels here, so that this loss is always 0
            terms.pop("classification", None)
        means = {"loss": output.loss, **{TERMS + name: value for name, value in terms.items()}}
        if recipe.corruption is not None:
            forward_pass = output.forward_pass
            restored = forward_pass.px.mean.reshape(-1, *forward_pass.x.shape)
            clean = forward_pass.x.expand_as(restored).flatten(0, 1)
            means["restored_squared_error"] = squared_error(clean, restored.flatten(0, 1))
            means["corrupted_squared_error"] = squared_error(forward_pass.x, forward_pass.inputs)
        return {name: mean.mean().item() * len(x) for name, mean in means.items()}

    # The noise of the codes drawn here is the same for every model and every evaluation.
    with seeded(SEED, subject.device):
        sums = subject.in_batches(judge, "objective")
    samples = recipe.samples or 1
    random = BOTTLENECKS[recipe.bottleneck.kind].random
    noise = f"; codes drawn from the posterior, {samples} for each, under a fixed seed"
    unit = "squared error summed over pixels in [0, 1], mean over test examples"
    for name, note in CORRUPTED.items():
        if name in sums[0]:
            yield Record(name, sum(batch.pop(name) for batch in sums) / n, unit, n, note)
    for name in sums[0]:
        what = "The weighted sum of the terms" if name == "loss" else "Without its weight"
        value = sum(batch[name] for batch in sums) / n
        note = f"{what}, mean over test examples{noise if random else ''}."
        yield Record(name, value, _unit(recipe, name.removeprefix(TERMS)), n, note)


def _unit(recipe: Recipe, name: str) -> str:
    """The unit of a term, or of the loss: "nats", or "" for a number without a unit."""
    if name == "loss":
        units = {_unit(recipe, term) for term in recipe.terms}
        return "nats" if units == {"nats"} else ""
    return SLOTS["terms"][recipe.terms[name].kind].unit if name in recipe.terms else "nats"
