"""How near reconstructions are to their originals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.data import scaled
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.metrics.quality import ms_ssim, psnr, squared_error, ssim
from autoencode.evaluation.records import Record
from autoencode.models.inference import split

# Positions of the best and of the worst examples that are recorded.
EXTREMES = 16
HOW = "Reconstructions without noise, from the code (of a random one, the mean)"


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Squared error, PSNR, SSIM and MS-SSIM, by class too, and the best and worst examples."""
    pixels = ctx.model.sizes.pixels
    n, has_image = len(ctx.test), ctx.model.sizes.image is not None
    examples, values = ("images", "pixels") if has_image else ("examples", "values")
    mean_example = _mean(ctx.data.train.x, ctx.batch_size)

    def compare(x: Tensor, context: Tensor | None) -> dict[str, Tensor]:
        y = ctx.model.forward(x, context).images
        found = {
            "error": squared_error(x, y),
            "reference": squared_error(x, mean_example.to(x).expand_as(x)),
            "psnr": psnr(x, y),
        }
        return found | ({"ssim": ssim(x, y), "ms_ssim": ms_ssim(x, y)} if has_image else {})

    batches = ctx.in_batches(compare, "reconstructions")
    each = {name: torch.cat([b[name] for b in batches]).cpu().double() for name in batches[0]}
    error, unit = each["error"], squared_error_unit(ctx)
    yield ctx.mean("squared_error", error, unit, f"{HOW}.")
    if n > 1:
        note = f"Standard error of squared_error over the test {examples}; not over trainings."
        yield Record("squared_error_stderr", error.std().item() / math.sqrt(n), unit, n, note)
    yield Record(
        "squared_error_per_pixel",
        error.mean().item() / pixels,
        f"squared error per {values[:-1]}, mean over test {examples}",
        n,
        f"squared_error divided by the {pixels:,} values of an example.",
    )
    note = f"For reference: of the mean of the training {examples} as every reconstruction."
    yield Record("squared_error_of_mean", each["reference"].mean().item(), unit, n, note)
    note = f"{HOW}; mean over test {examples}, each at most 100 dB."
    yield ctx.mean("psnr", each["psnr"], "dB", note)
    if has_image:
        for name, what in (("ssim", ""), ("ms_ssim", ", at as many scales as the image has room")):
            note = f"{HOW}; Gaussian window of σ = 1.5{what}, mean over test images."
            yield ctx.mean(name, each[name], "1 for identical images", note)
    yield from _by_class(ctx, error, unit)
    order = error.argsort()
    for name, rows in (("best", order[:EXTREMES]), ("worst", order.flip(0)[:EXTREMES])):
        note = f"Positions of the {len(rows)} test {examples} with the {name} squared_error."
        yield Record(f"{name}_examples", tuple(rows.tolist()), "position in the test part", n, note)


def squared_error_unit(ctx: EvaluationContext) -> str:
    """The unit of a squared error, with its reduction."""
    has_image = ctx.model.sizes.image is not None
    examples, values = ("images", "pixels") if has_image else ("examples", "values")
    return f"squared error summed over {values} in [0, 1], mean over test {examples}"


def _by_class(ctx: EvaluationContext, error: Tensor, unit: str) -> Iterator[Record]:
    classes, y = ctx.data.classes, ctx.test.y
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
