"""What training minimises, on test data; and what a corruption costs."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from autoencode.evaluation.quality import squared_error
from autoencode.evaluation.records import TERMS, Record
from autoencode.evaluation.subject import SEED, Subject
from autoencode.models.objective import Objective
from autoencode.models.passes import seeded
from autoencode.parts import BOTTLENECKS

CORRUPTED = {
    "restored_squared_error": "What the model makes of corrupted examples, against the clean.",
    "corrupted_squared_error": "For reference: the corrupted examples themselves.",
}


def measure(subject: Subject) -> Iterator[Record]:
    """The loss and each of its terms, in nats."""
    model, recipe, n = subject.model, subject.recipe, len(subject.test)
    objective = Objective(model, recipe, model.sizes)
    objective.terms.eval()

    def judge(x: Tensor, c: Tensor | None) -> dict[str, float]:
        judged = objective(x, c)
        means = {"loss": judged.loss, **{TERMS + k: v for k, v in judged.terms.items()}}
        if recipe.corruption is not None:
            trip = judged.trip
            restored = trip.px.mean.reshape(-1, *trip.x.shape)
            clean = trip.x.expand_as(restored).flatten(0, 1)
            means["restored_squared_error"] = squared_error(clean, restored.flatten(0, 1))
            means["corrupted_squared_error"] = squared_error(trip.x, trip.seen)
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
        yield Record(name, value, "nats", n, note)
