"""How near reconstructions are to their originals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.data import scaled
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.metrics.quality import ms_ssim, psnr, squared_error, ssim
from autoencode.evaluation.records import Record
from autoencode.models.inference import split

# Positions of examples that are kept as the best and the worst.
EXTREMES = 16
HOW = "Reconstructions without noise, from the code (of a random one, the mean)"


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """Squared error, PSNR, SSIM and MS-SSIM, by class too, and the best and worst examples."""
    model, test = subject.model, subject.test
    n, has_image = len(test), model.sizes.image is not None
    images, pixels = ("images", "pixels") if has_image else ("examples", "numbers")
    mean_image = _mean(subject.data.train.x, subject.batch_size)

    def judge(x: Tensor, context: Tensor | None) -> dict[str, Tensor]:
        y = model.forward(x, context).images
        figures = {
            "error": squared_error(x, y),
            "reference": squared_error(x, mean_image.to(x).expand_as(x)),
            "psnr": psnr(x, y),
        }
        if has_image:
            figures |= {"ssim": ssim(x, y), "ms_ssim": ms_ssim(x, y)}
        return figures

    batches = subject.in_batches(judge, "reconstructions")
    each = {name: torch.cat([b[name] for b in batches]).cpu().double() for name in batches[0]}
    error = each["error"]
    unit = f"squared error summed over {pixels} in [0, 1], mean over test {images}"
    yield Record("squared_error", error.mean().item(), unit, n, f"{HOW}.", bootstrap(error))
    if n > 1:
        spread = error.std().item() / math.sqrt(n)
        note = f"Standard error of squared_error over the test {images}; not over trainings."
        yield Record("squared_error_stderr", spread, unit, n, note)
    yield Record(
        "squared_error_per_pixel",
        error.mean().item() / model.sizes.pixels,
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
    note = f"{HOW}; mean over test {images}, of which each counts 100 dB at most."
    decibels = each["psnr"]
    yield Record("psnr", decibels.mean().item(), "dB", n, note, bootstrap(decibels))
    if has_image:
        for name, what in (("ssim", ""), ("ms_ssim", ", at as many scales as the image has room")):
            note = f"{HOW}; Gaussian window of σ = 1.5{what}, mean over test images."
            found = each[name]
            yield Record(
                name, found.mean().item(), "1 for identical images", n, note, bootstrap(found)
            )
    yield from _by_class(subject, error, unit)
    order = error.argsort()
    for name, rows in (("best", order[:EXTREMES]), ("worst", order.flip(0)[:EXTREMES])):
        note = f"Where the {len(rows)} test {images} of the {name} squared_error stand, from 0."
        yield Record(f"{name}_examples", tuple(rows.tolist()), "position in the test part", n, note)


def _by_class(subject: EvaluationContext, error: Tensor, unit: str) -> Iterator[Record]:
    classes, y = subject.data.classes, subject.test.y
    if y is None or len(classes) < 2:
        return
    counts = [int((y == k).sum()) for k in range(len(classes))]
    if min(counts) > 0:  # a class without examples has no mean
        means = tuple(error[y == k].mean().item() for k in range(len(classes)))
        note = "squared_error of the test examples of each class, in the order of the classes."
        yield Record("squared_error_by_class", means, unit, len(y), note)


def _mean(x: Tensor, batch_size: int) -> Tensor:
    """The mean example, [*X] in [0, 1]; in batches, so that no float copy of all is made."""
    sums = [scaled(batch).sum(0, dtype=torch.float64) for batch in split(x, batch_size)]
    return (torch.stack(sums).sum(0) / len(x)).float()
