"""A trained model, measured on the test part of its data: records with units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoencode.contract import Autoencoder
from autoencode.data import Data, Split, scaled, still
from autoencode.errors import DataError, Diverged
from autoencode.evaluation.codes import NEIGHBOURS, kl_per_dimension, knn_accuracy
from autoencode.evaluation.quality import psnr, squared_error, ssim
from autoencode.models.build import learns_labels
from autoencode.models.conditions import known
from autoencode.models.objective import Objective
from autoencode.models.passes import BATCH_SIZE, embed, in_batches, seeded, split
from autoencode.models.recipe import Recipe
from autoencode.parts import BOTTLENECKS

# The noise of the codes drawn for the terms is the same for every model and every evaluation.
SEED = 0
# A dimension with fewer nats than this carries nothing.
ACTIVE = 0.01
TERMS = "terms."
CORRUPTED = {
    "restored_squared_error": "What the model makes of corrupted examples, against the clean.",
    "corrupted_squared_error": "For reference: the corrupted examples themselves.",
}


@dataclass(frozen=True)
class Record:
    """One measured figure.

    name: "squared_error", "terms.rate".    value: always finite.
    unit: of each number in `value`.        n: test examples that it was taken over.
    note: how it was measured, a sentence.
    """

    name: str
    value: float | int | tuple[float, ...]
    unit: str
    n: int
    note: str

    def __post_init__(self) -> None:
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if not all(math.isfinite(value) for value in values):
            raise Diverged(
                f"The {self.name} of this model is not a finite number",
                "Its weights are of no use: train it again, with a smaller lr.",
            )


@dataclass(frozen=True)
class Evaluation:
    """All that was measured of one model; what has no meaning for it is not there."""

    records: tuple[Record, ...]
    n_test: int

    def to_dict(self) -> dict[str, Any]:
        """One JSON object: name -> value, and `terms`, `units` and `notes` by name."""
        figures: dict[str, Any] = {"n_test": self.n_test}
        terms: dict[str, Any] = {}
        for record in self.records:
            value = list(record.value) if isinstance(record.value, tuple) else record.value
            if record.name.startswith(TERMS):
                terms[record.name.removeprefix(TERMS)] = value
            else:
                figures[record.name] = value
        return {
            **figures,
            "terms": terms,
            "units": {record.name: record.unit for record in self.records},
            "notes": {record.name: record.note for record in self.records},
        }


def evaluate(
    model: Autoencoder, recipe: Recipe, data: Data, batch_size: int = BATCH_SIZE
) -> Evaluation:
    """Measures a model on `data.test`, in float32 and on the model's device.

    The same model and data give the same figures; weights, training mode and torch's random state
    are left as they were.

    recipe: the one that the model was trained by; its terms are measured.

    Raises:
        DataError: there are no test examples, or they are of another shape than the model's.
        Diverged: a figure is not finite.
    """
    if len(data.test) == 0:
        raise DataError(
            f'"{data.name}" has no test examples to measure on', "Keep a part of it for testing."
        )
    records = [
        *_of_reconstructions(model, recipe, data, batch_size),
        *_of_objective(model, recipe, data.test, batch_size),
        *_of_codes(model, recipe, data, batch_size),
    ]
    return Evaluation(tuple(records), len(data.test))


def _of_reconstructions(
    model: Autoencoder, recipe: Recipe, data: Data, batch_size: int
) -> Iterator[Record]:
    n = len(data.test)
    has_image = model.sizes.image is not None
    images, pixels = ("images", "pixels") if has_image else ("examples", "numbers")
    mean_image = _mean(data.train.x, batch_size)

    def judge(x: Tensor, c: Tensor | None) -> dict[str, Tensor]:
        y = model.forward(x, c).images
        figures = {
            "error": squared_error(x, y),
            "reference": squared_error(x, mean_image.to(x).expand_as(x)),
            "psnr": psnr(x, y),
        }
        return figures | ({"ssim": ssim(x, y)} if has_image else {})

    batches = in_batches(
        model, data.test.x, judge, "reconstructions", batch_size, known(recipe, data.test)
    )
    each = {name: torch.cat([b[name] for b in batches]).cpu().double() for name in batches[0]}
    error = each["error"].mean().item()
    unit = f"squared error summed over {pixels} in [0, 1], mean over test {images}"
    how = "Reconstructions without noise, from the code (of a random one, the mean)"
    yield Record("squared_error", error, unit, n, f"{how}.")
    if n > 1:
        spread = each["error"].std().item() / math.sqrt(n)
        note = f"Standard error of squared_error over the test {images}; not over trainings."
        yield Record("squared_error_stderr", spread, unit, n, note)
    yield Record(
        "squared_error_per_pixel",
        error / model.sizes.pixels,
        f"squared error per {pixels[:-1]}, mean over test {images}",
        n,
        f"squared_error divided by the {model.sizes.pixels:,} numbers of an example.",
    )
    yield Record(
        "squared_error_of_mean",
        each["reference"].mean().item(),
        unit,
        n,
        f"For reference: the error of answering the mean of the training {images} each time.",
    )
    note = f"{how}; mean over test {images}, of which each counts 100 dB at most."
    yield Record("psnr", each["psnr"].mean().item(), "dB", n, note)
    if has_image:
        note = f"{how}; Gaussian window of σ = 1.5 inside the image, mean over test images."
        yield Record("ssim", each["ssim"].mean().item(), "1 for identical images", n, note)


def _of_objective(
    model: Autoencoder, recipe: Recipe, test: Split, batch_size: int
) -> Iterator[Record]:
    n = len(test)
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

    with seeded(SEED, next(objective.parameters()).device):
        sums = in_batches(model, test.x, judge, "objective", batch_size, known(recipe, test))
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


def _of_codes(model: Autoencoder, recipe: Recipe, data: Data, batch_size: int) -> Iterator[Record]:
    n = len(data.test)
    nats = kl_per_dimension(model, data.test.x, known(recipe, data.test), batch_size)
    if nats is not None:
        note = "KL of the posterior from the prior in each dimension, mean over test examples."
        yield Record("kl_per_dimension", tuple(nats.tolist()), "nats", n, note)
        active = int((nats > ACTIVE).sum())
        note = f"Dimensions of the code with more than {ACTIVE} nats of KL."
        yield Record("active_dimensions", active, "dimensions", n, note)
    if learns_labels(recipe) and data.test.y is not None:
        truth = data.test.y
        wrong = (
            torch.cat(
                in_batches(model, data.test.x, _predict(model), "predicting", batch_size)
            ).cpu()
            != truth
        )
        note = "Test examples whose predicted class is not theirs."
        yield Record("classification_error", wrong.double().mean().item(), "fraction", n, note)
    if data.train.y is not None and data.test.y is not None:
        told = data.train.y >= 0
        codes = [
            embed(model, part.x, known(recipe, part), batch_size)
            for part in (still(data.train), data.test)
        ]
        k = min(NEIGHBOURS, int(told.sum()))
        note = (
            f"Test examples whose class is that of most of the {k} training examples with the "
            "nearest codes; neighbours are training codes, queries test codes."
        )
        accuracy = knn_accuracy(codes[0][told], data.train.y[told], codes[1], data.test.y, k)
        yield Record("knn_accuracy", accuracy, "fraction", n, note)


def _predict(model: Any) -> Callable[[Tensor, Tensor | None], Tensor]:
    return lambda x, _: model.predict(x)


def _mean(x: Tensor, batch_size: int) -> Tensor:
    """The mean example, [*X] in [0, 1]; in batches, so that no float copy of all is made."""
    sums = [scaled(batch).sum(0, dtype=torch.float64) for batch in split(x, batch_size)]
    return (torch.stack(sums).sum(0) / len(x)).float()
