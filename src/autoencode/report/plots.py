"""Plots for notebooks: `plot`, `plot_latent`, `plot_reconstructed`, `interpolate`, `show`.

Each returns a matplotlib figure, which notebooks display; `figure.savefig("a.png")` saves it.
Models may be any `nn.Module` with an encoder and a decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.contract import Autoencoder
from autoencode.data import Split, scaled
from autoencode.errors import DataError
from autoencode.evaluation import Projection, decode
from autoencode.evaluation.projections import MAX_POINTS
from autoencode.explore import lattice, project
from autoencode.models.conditions import conditioning
from autoencode.models.foreign import as_autoencoder, has_interface, with_examples
from autoencode.models.inference import checked_examples
from autoencode.models.inputs import condition_tensor, is_image, to_tensor
from autoencode.models.new_data import is_raw, part_of
from autoencode.report.figures.decoded_grid import draw_grid
from autoencode.report.figures.interpolation import strip
from autoencode.report.figures.latent_space import LatentSpace
from autoencode.report.figures.projection import CodeProjection
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short, z_name
from autoencode.report.images import enlarge, montage, pairs, tiles
from autoencode.report.style import WIDTH, Picture, new_figure, styled
from autoencode.report.view import View

# Columns and rows of the examples in `plot`.
COLUMNS, ROWS = 5, 3
# Codes with at most so many dimensions are written above the image.
CODE_NUMBERS = 4
# Images in a row of `show`.
SHOWN_COLUMNS = 10
# Integer labels below this are class numbers.
MAX_CLASSES = 1_000


@styled()
def plot(model: Autoencoder, samples: Any) -> Picture:
    """Originals above their reconstructions, next to the latent space of all samples.

    A single sample is shown large, beside its reconstruction with the squared error.

    model: a trained model, or any `nn.Module` with an encoder and a decoder.
    samples: examples [N, *X] (uint8, or float in [0, 1]), or (examples, labels [N]). Examples are
        tensors, NumPy arrays, PIL images or nested lists. Or raw data, such as "mnist" or a path,
        with all examples and their labels; or a part of loaded data, `data.test`.

    Raises:
        DataError: no samples, NaN, values out of range, samples of another shape than the model's,
            or not one label for each.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("ae", data, latent=2, steps=10).model
    >>> ae.plot(model, data.test).savefig("codes.png")
    """
    view = _view(model, samples)
    if len(view.x) == 1:
        return _side_by_side(view)
    shown = torch.arange(min(COLUMNS * ROWS, len(view.x)))
    originals, copies = view.originals(shown), view.decoded(view.codes[shown])
    width = originals.shape[2]
    factor = max(1, 224 // width)
    gap = factor * width // 20
    figure = new_figure(2 * WIDTH, WIDTH + 0.3, fitted=True)
    left, right = figure.subplots(1, 2)
    two = pairs(enlarge(originals, factor), enlarge(copies, factor), gap)
    left.imshow(montage(two, COLUMNS, 3 * gap))
    left.set_axis_off()
    left.set_title("originals above their reconstructions")
    LatentSpace(view).draw_into(figure, right)
    right.set_title(f"codes of all {len(view.codes):,} samples")
    return figure


def _side_by_side(view: View) -> Picture:
    """One example and its reconstruction, large."""
    two = [view.originals([0])[0], view.decoded(view.codes)[0]]
    height, width = two[0].shape[:2]
    figure = new_figure(WIDTH, 0.35 + WIDTH / 2 * height / width, fitted=True)
    code = ", ".join(short(value) for value in view.codes[0].tolist())
    titles = ["original", f"reconstruction, squared error {short(float(view.errors[0]))}"]
    if view.latent <= CODE_NUMBERS:
        titles[0] = f"original, code ({code})"
    for axes, image, title in zip(figure.subplots(1, 2), two, titles, strict=True):
        axes.imshow(image, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(title)
    return figure


def plot_latent(
    model: Autoencoder, samples: Any, projection: str = "pca", seed: int = 0
) -> Picture:
    """The latent space: a point for the code of each sample, coloured by label.

    Codes of one dimension are shown as histograms.

    model, samples: as of `plot`, with the same errors.
    projection: of codes with more than two dimensions: "pca" (their first two principal
        components), "tsne" or "umap", which keep neighbourhoods; of more than 5,000 samples these
        take 5,000 at random.
    seed: of t-SNE and UMAP.

    >>> import autoencode as ae
    >>> x, y = ae.sample_train(200, return_labels=True, source="digits")
    >>> model = ae.fit("ae", "digits", latent=2, steps=10).model
    >>> ae.plot_latent(model, (x, y)).savefig("latent.png")
    """
    view = _view(model, samples)
    if view.latent < 2 or projection == "pca":
        return LatentSpace(view).draw()
    rows = np.random.default_rng(seed).permutation(len(view.codes))[:MAX_POINTS]
    rows.sort()
    points = project(view.codes[rows], projection, seed)
    found = Projection(points, torch.from_numpy(rows), projection, seed, len(view.codes))
    return CodeProjection(found, None if view.y is None else view.y[rows], view.classes).draw()


@styled()
def show(images: Any, titles: Sequence[str] | None = None, columns: int = SHOWN_COLUMNS) -> Picture:
    """Images in rows, such as those of `generate`, `reconstruct` or `sample_train`.

    images: [N, H, W] grey or [N, C, H, W], uint8 or float in [0, 1]; one image [H, W] too.
    titles: a text above each image.
    columns: images in a row.

    >>> import autoencode as ae
    >>> figure = ae.show(ae.sample_train(20, source="digits"))

    Raises:
        DataError: no images, another shape, or not one title for each.
    """
    check_value(columns, Count, "columns")
    x = to_tensor(images, "images")
    x = x[None] if x.dim() == 2 else x
    if x.dim() not in (3, 4) or not len(x):
        raise DataError(
            f"Images have the shape [N, H, W] or [N, C, H, W], and these have {list(x.shape)}",
            "Give images, such as show(model.decoder(z)).",
        )
    if titles is not None and len(titles) != len(x):
        raise DataError(
            f"There are {len(x)} images and {len(titles)} titles", "Give one for each image."
        )
    pictures = tiles(scaled(x), kind=x.dim() - 1)
    starts = range(0, len(x), columns)
    above = [() if titles is None else [str(t) for t in titles[i : i + columns]] for i in starts]
    rows = [Row(pictures[i : i + columns], above=a) for i, a in zip(starts, above, strict=True)]
    return draw_rows(rows)


@styled()
def plot_reconstructed(
    model: Autoencoder,
    r0: Sequence[float] = (-5, 10),
    r1: Sequence[float] = (-10, 5),
    n: int = 12,
    context: Any = None,
) -> Picture:
    """Images decoded from an n × n grid of codes.

    model: as of `plot`.   n: number of images in a row and in a column.
    r0, r1: lowest and highest value of z₁ and of z₂. All other dimensions are 0; of one latent
        dimension, the result is a row of n images, and r1 is not used.
    context: the condition of a conditional model for all images: a label, or features [C].

    Raises:
        AutoencodeError: n is less than 1.

    >>> import autoencode as ae
    >>> model = ae.fit("vae", "digits", latent=2, steps=10).model
    >>> ae.plot_reconstructed(model, r0=(-2, 2), r1=(-2, 2), n=5).savefig("grid.png")
    """
    model = as_autoencoder(model)
    latent = model.sizes.latent
    points = lattice((min(r0), min(r1)), (max(r0), max(r1)), n)
    if latent == 1:
        values = points[:n, :1]
        pictures = _pictures(model, values, context)
        return draw_rows([Row(pictures, below=[short(v) for v in values.flatten().tolist()])])
    codes = torch.zeros(n * n, latent)
    codes[:, :2] = points
    figure, axes = draw_grid(_pictures(model, codes, context), points)
    rest = ", all others 0" if latent > 2 else ""
    axes.set(xlabel=f"{z_name(1)}{rest}", ylabel=f"{z_name(2)}{rest}")
    return figure


@styled()
def interpolate(
    model: Autoencoder, x_1: Any, x_2: Any, n: int = 12, context: Any = None
) -> Picture:
    """Images decoded at equal steps between the codes of two examples, with these at the ends.

    model: as of `plot`.
    x_1, x_2: one example each, [*X] or [1, *X] (uint8, or float in [0, 1]), or a PIL image.
    n: number of decoded images.
    context: of the two examples, for a conditional model: labels [2] or features [2, C].

    Raises:
        DataError: an example of another shape than the model's.
        AutoencodeError: n is less than 2.

    >>> import autoencode as ae
    >>> x = ae.sample_train(2, source="digits")
    >>> model = ae.fit("ae", "digits", latent=2, steps=10).model
    >>> ae.interpolate(model, x[0], x[1]).savefig("between.png")
    """
    model = as_autoencoder(model, x_1 if has_interface(model) else _batch_of_one(x_1))
    two = [_example(model, x) for x in (x_1, x_2)]
    conditions = condition_tensor(context, model.sizes, 2)
    return draw_rows([strip(View.of(model, torch.stack(two), context=conditions), 0, 1, n)])


def _view(model: Autoencoder, samples: Any) -> View:
    x, y = samples if isinstance(samples, tuple) and len(samples) == 2 else (samples, None)
    model, x = with_examples(model, x)
    if y is None and is_raw(x):
        return _view_of_part(model, part_of(model, x))
    x, _ = checked_examples(model, x)
    if y is None:
        return View.of(model, x)
    labels = np.asarray(y.cpu() if isinstance(y, Tensor) else y)
    if labels.shape != (len(x),):
        raise DataError(
            f"There are {len(x):,} samples, and the labels have shape {labels.shape}",
            "Give one label for each: plot(model, (x, y)).",
        )
    integers = labels.dtype.kind in "iu"
    if integers and labels.size and labels.min() >= 0 and labels.max() < MAX_CLASSES:
        # Class 3 has the same colour whether or not the samples include classes 0 to 2.
        classes, indices = np.arange(labels.max() + 1), labels
    else:
        classes, indices = np.unique(labels, return_inverse=True)
    y = torch.as_tensor(indices.astype(np.int64))
    # A conditional model is conditioned on the labels of the samples.
    context = torch.as_tensor(labels.astype(np.int64)) if integers and model.sizes.context else None
    return View.of(model, x, y, [str(name) for name in classes], context)


def _view_of_part(model: Any, part: Split) -> View:
    """The view of raw data, with their labels if they have some."""
    preprocessing = getattr(model, "preprocessing", None)
    classes = () if preprocessing is None else preprocessing.classes
    if part.y is not None and not classes:
        classes = tuple(map(str, range(int(part.y.max()) + 1)))
    return View.of(model, part.x, part.y, classes, conditioning(model.recipe, part))


def _batch_of_one(x: Any) -> Any:
    """One example, with or without the dimension of a batch, as a batch."""
    if is_image(x):
        return [x]
    example = to_tensor(x, "x")
    # (1, H, W) is one grey image both with a batch and with a channel.
    batched = example.dim() == 4 or (example.dim() > 1 and len(example) == 1)
    return example if batched else example[None]


def _example(model: Autoencoder, x: Any) -> Tensor:
    example = x
    if not is_image(x):
        example = to_tensor(x, "x")
        # One example, with or without the dimension of a batch and of a grey channel.
        if example.numel() != model.sizes.pixels:
            raise DataError(
                f"The model needs one example of shape {model.sizes.x}, and this has shape "
                f"{tuple(example.shape)}",
                "Give one image, as in interpolate(model, x[0], x[1]).",
            )
        example = example.reshape(1, *model.sizes.x)
    return scaled(checked_examples(model, example)[0]).reshape(model.sizes.x)


def _pictures(model: Autoencoder, codes: Tensor, context: Any) -> np.ndarray:
    if context is not None:
        one = to_tensor(context, "c")
        context = one.expand(len(codes), *one.shape)
    return tiles(decode(model, codes, context), kind=len(model.sizes.x))
