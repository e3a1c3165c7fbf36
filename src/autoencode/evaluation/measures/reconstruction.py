"""How near reconstructions are to their originals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from autoencode.contract import Space
from autoencode.data import scaled
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.examples import RowColumn, example_names, row_columns
from autoencode.evaluation.metrics.quality import ms_ssim, psnr, squared_error, ssim
from autoencode.evaluation.metrics.table_columns import (
    category_hits,
    column_squares,
    r2_per_column,
)
from autoencode.evaluation.records import Record
from autoencode.evaluation.sparsity import is_sparse
from autoencode.models.inference import split

# Positions of the best and of the worst examples that are recorded.
EXTREMES = 16
HOW = "Reconstructions without noise, from the code (of a random one, the mean)"


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """Squared error, PSNR, SSIM and MS-SSIM, by class too, and the best and worst examples.

    Of vectors also R²; of tables R² of each numeric and accuracy of each categorical column, and
    neither PSNR nor SSIM.
    """
    n, table = len(ctx.test), ctx.data.is_table
    has_image, is_vector = ctx.model.sizes.image is not None, ctx.test.x.dim() == 2
    examples, values = ("images", "pixels") if has_image else ("examples", "values")
    blocks = [column.block for column in _categorical(ctx)]
    mean_example = ctx.mean_example

    def compare(x: Tensor, context: Tensor | None) -> dict[str, Tensor]:
        y = ctx.model.forward(x, context).images
        found = {"error": squared_error(x, y), "observed": (~x.isnan()).flatten(1).sum(1)}
        if mean_example is not None:
            found["reference"] = squared_error(x, mean_example.to(x).expand_as(x))
        if is_vector:
            found["squares"] = column_squares(x.double(), y.double()).unsqueeze(0)
        if blocks:
            found["hits"] = category_hits(x, y, blocks)
        if not table:
            found["psnr"] = psnr(x, y)
        return found | ({"ssim": ssim(x, y), "ms_ssim": ms_ssim(x, y)} if has_image else {})

    batches = ctx.in_batches(compare, "reconstructions")
    each = {name: torch.cat([b[name].cpu() for b in batches]).double() for name in batches[0]}
    error, unit, observed = each["error"], squared_error_unit(ctx), each["observed"].sum().item()
    discrete = "; not compared with PCA, because the code is discrete"
    how = HOW + (discrete if ctx.model.space is Space.CODES else "")
    yield ctx.mean("squared_error", error, unit, f"{how}.")
    if n > 1:
        note = f"Standard error of squared_error over the test {examples}; not over trainings."
        yield Record("squared_error_stderr", error.std().item() / math.sqrt(n), unit, n, note)
    pixels = ctx.model.sizes.pixels
    missing = 1 - observed / (n * pixels)
    which = f"{pixels:,} values of an example" if not missing else "values that are not missing"
    yield Record(
        "squared_error_per_pixel",
        error.sum().item() / max(1.0, observed),
        f"squared error per {values[:-1]}, mean over test {examples}",
        n,
        f"squared_error divided by the {which}.",
    )
    if missing:
        note = "Missing values of the test examples, which contribute nothing to errors."
        yield Record("missing_share", missing, "fraction", n, note)
    if "reference" in each:
        note = f"For reference: of the mean of the training {examples} as every reconstruction."
        yield Record("squared_error_of_mean", each["reference"].mean().item(), unit, n, note)
        if is_sparse(ctx.recipe) and (spread := each["reference"].sum().item()):
            note = "squared_error divided by squared_error_of_mean."
            ratio = "1 for the mean of the training examples, 0 for no error"
            yield Record("unexplained_variance", error.sum().item() / spread, ratio, n, note)
    if not table:
        note = f"{HOW}; mean over test {examples}, each at most 100 dB."
        yield ctx.mean("psnr", each["psnr"], "dB", note)
    if has_image:
        for name, what in (("ssim", ""), ("ms_ssim", ", at as many scales as the image has room")):
            note = f"{HOW}; Gaussian window of σ = 1.5{what}, mean over test images."
            yield ctx.mean(name, each[name], "1 for identical images", note)
    if is_vector and mean_example is not None:
        yield from column_records(ctx, each["squares"].sum(0))
    if blocks:
        yield from _categories(ctx, each["hits"])
    yield from _by_class(ctx, error, unit)
    yield from _extremes(ctx, error, unit, examples)


def squared_error_unit(ctx: EvaluationContext) -> str:
    """The unit of a squared error, with its reduction."""
    has_image = ctx.model.sizes.image is not None
    examples, values = ("images", "pixels") if has_image else ("examples", "values")
    over = "preprocessed values" if ctx.data.is_table else f"{values} in [0, 1]"
    return f"squared error summed over {over}, mean over test {examples}"


def column_records(ctx: EvaluationContext, squares: Tensor, end: str = "") -> Iterator[Record]:
    """R² of tables: of each numeric column that varies, and their mean; of other vectors, one R².

    The columns of a table have a unit each. The values of other vectors share one, and R² is that
    of all together: the mean over values would be decided by those that hardly vary.

    squares: squared errors of the reconstructions in each value of an example, [D].
    end: added to the names of the metrics.
    """
    mean_example = ctx.mean_example
    assert mean_example is not None
    spreads = torch.zeros_like(mean_example)
    for batch in split(ctx.test.x, ctx.batch_size):
        exact = scaled(batch).double()
        spreads += column_squares(exact, mean_example.expand_as(exact)).cpu()
    n, unit = len(ctx.test), "1 for no error, 0 for the mean of the training examples"
    of = "; of PCA" if end else ""
    if not ctx.data.is_table:
        whole = r2_per_column(squares.sum(0, keepdim=True).cpu(), spreads.sum(0, keepdim=True))
        if not whole.isnan():
            note = f"1 − SSE / SS, both summed over all values of the test examples{of}."
            yield Record(f"r2{end}", whole.item(), unit, n, note)
        return
    found = r2_per_column(squares.cpu(), spreads)
    numeric = [each for each in row_columns(ctx.data) if each.categories is None]
    scores = [(each.name, found[each.block].item()) for each in numeric]
    known = [(name, score) for name, score in scores if not math.isnan(score)]
    if not known:
        return
    names, values = zip(*known, strict=True)
    note = f"Mean R² of the {len(values):,} numeric columns that vary{of}."
    yield Record(f"r2{end}", math.fsum(values) / len(values), unit, n, note)
    note = f"R² of each numeric column that varies, in the order of numeric_columns{of}."
    yield Record(f"r2_per_column{end}", values, unit, n, note)
    if not end:
        note = "Numeric columns that vary in the test part."
        yield Record("numeric_columns", names, "name of a column", n, note)


def _categories(ctx: EvaluationContext, hits: Tensor) -> Iterator[Record]:
    """Accuracy of each categorical column, beside that of its most frequent category."""
    n, columns = len(ctx.test), _categorical(ctx)
    x, mean_example = ctx.test.x, ctx.mean_example
    shares = []
    for column in columns:
        of_test = x[:, column.block].nanmean(0)
        frequent = of_test if mean_example is None else mean_example[column.block]
        shares.append(of_test[frequent.nan_to_num(0.0).argmax()].item())
    accuracies = hits.nanmean(0).tolist()
    # A column without any value in the test part has no accuracy.
    known = [
        (column.name, accuracy, share)
        for column, accuracy, share in zip(columns, accuracies, shares, strict=True)
        if not math.isnan(accuracy)
    ]
    if not known:
        return
    names, accuracies, shares = (list(each) for each in zip(*known, strict=True))
    note = "Test examples whose category is reconstructed, the highest value of its block; mean."
    mean = math.fsum(accuracies) / len(accuracies)
    yield Record("column_accuracy", mean, "fraction", n, note)
    note = "column_accuracy of each categorical column, in the order of categorical_columns."
    yield Record("accuracy_per_column", tuple(accuracies), "fraction", n, note)
    part = "test" if mean_example is None else "training"
    note = f"For reference: the accuracy of the most frequent category of the {part} part."
    yield Record("majority_share_per_column", tuple(shares), "fraction", n, note)
    note = "Categorical columns with a value in the test part."
    yield Record("categorical_columns", tuple(names), "name of a column", n, note)


def _categorical(ctx: EvaluationContext) -> list[RowColumn]:
    if not ctx.data.is_table:
        return []
    return [column for column in row_columns(ctx.data) if column.categories is not None]


def _extremes(ctx: EvaluationContext, error: Tensor, unit: str, examples: str) -> Iterator[Record]:
    """The test examples of lowest and of highest error, the latter by their names too."""
    n, order = len(error), error.argsort()
    worst = order.flip(0)[:EXTREMES]
    for name, rows in (("best", order[:EXTREMES]), ("worst", worst)):
        note = f"Positions of the {len(rows)} test {examples} with the {name} squared_error."
        yield Record(f"{name}_examples", tuple(rows.tolist()), "position in the test part", n, note)
    names, errors = example_names(ctx.data, worst.tolist()), error[worst].tolist()
    yield Record("worst_names", tuple(names), "name", n, "Names of worst_examples.")
    each = unit.partition(", mean")[0]
    yield Record("worst_errors", tuple(errors), each, n, "squared_error of worst_examples.")


def _by_class(ctx: EvaluationContext, error: Tensor, unit: str) -> Iterator[Record]:
    classes, y = ctx.data.classes, ctx.test.y
    if y is None or len(classes) < 2:
        return
    counts = [int((y == k).sum()) for k in range(len(classes))]
    if min(counts) > 0:  # a class without examples has no mean
        means = tuple(error[y == k].mean().item() for k in range(len(classes)))
        note = "squared_error of the test examples of each class, in the order of the classes."
        yield Record("squared_error_by_class", means, unit, len(y), note)
