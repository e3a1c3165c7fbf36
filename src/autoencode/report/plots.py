"""The course's pictures: `plot`, `plot_latent`, `plot_reconstructed`, `interpolate`.

Each returns a matplotlib figure, which notebooks show by themselves; `figure.savefig("a.png")`
keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.contract import Autoencoder
from autoencode.errors import DataError
from autoencode.evaluation import decode
from autoencode.explore import lattice
from autoencode.report.figures import paths, plane
from autoencode.report.figures.grid import draw_grid
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.images import enlarge, montage, pairs, tiles
from autoencode.report.style import WIDTH, Picture, new_figure, styled
from autoencode.report.view import View, look

# Examples that `plot` shows with their reconstructions: columns and rows.
COLUMNS, ROWS = 5, 3
# Labels that are whole numbers up to here are taken for the numbers of the classes.
MOST_CLASSES = 1_000


@styled()
def plot(model: Autoencoder, samples: Any) -> Picture:
    """Originals above their reconstructions, beside the code plane of all samples.

    samples: examples [N, *X] (uint8, or float in [0, 1]), or (examples, labels [N]).

    Raises:
        DataError: no samples, of another shape than the model's, or other than one label each.
    """
    view = _view(model, samples)
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
    plane.show_codes(figure, right, view)
    right.set_title(f"their codes, and those of all {len(view.codes):,} samples")
    return figure


def plot_latent(model: Autoencoder, samples: Any) -> Picture:
    """The code plane: a dot for the code of each sample, coloured by label.

    Codes of more than two numbers are shown on the plane of their principal components, codes of
    one number as histograms. `samples` and errors as for `plot`.
    """
    return plane.draw(_view(model, samples))


@styled()
def plot_reconstructed(
    model: Autoencoder,
    r0: Sequence[float] = (-5, 10),
    r1: Sequence[float] = (-10, 5),
    n: int = 12,
    context: Any = None,
) -> Picture:
    """What the decoder draws on an n × n grid of codes.

    r0, r1: lowest and highest value of the code's first and second number. All others are 0; codes
        of one number give a single row of n, and r1 is not used.
    c: what a conditional model is told, the same for all: a label, or features [C].

    Raises:
        AutoencodeError: n is less than 1.
    """
    latent = model.sizes.latent
    points = lattice((min(r0), min(r1)), (max(r0), max(r1)), n)
    if latent == 1:
        values = points[:n, :1]
        pictures = _pictures(model, values, context)
        return draw_rows([Row(pictures, notes=[short(v) for v in values.flatten().tolist()])])
    codes = torch.zeros(n * n, latent)
    codes[:, :2] = points
    figure, axes = draw_grid(_pictures(model, codes, context), points)
    rest = ", all others 0" if latent > 2 else ""
    axes.set(xlabel=f"first number of the code{rest}", ylabel=f"second number of the code{rest}")
    return figure


@styled()
def interpolate(
    model: Autoencoder, x_1: Any, x_2: Any, n: int = 12, context: Tensor | None = None
) -> Picture:
    """n decoded codes at equal steps between the codes of two examples, which stand at the ends.

    x_1, x_2: one example each, [*X] or [1, *X] (uint8, or float in [0, 1]).
    c: what is known of the two, for a conditional model: labels [2] or features [2, C].

    Raises:
        DataError: an example of another shape than the model's.
        AutoencodeError: n is less than 2.
    """
    two = [_example(model, x) for x in (x_1, x_2)]
    return draw_rows([paths.strip(look(model, torch.stack(two), context=context), 0, 1, n)])


def _view(model: Autoencoder, samples: Any) -> View:
    x, y = samples if isinstance(samples, tuple) and len(samples) == 2 else (samples, None)
    x = torch.as_tensor(x)
    if y is None:
        return look(model, x)
    labels = np.asarray(y)
    if labels.shape != (len(x),):
        raise DataError(
            f"There are {len(x):,} samples, and the labels have shape {labels.shape}",
            "Give one label for each: plot(model, (x, y)).",
        )
    whole = labels.dtype.kind in "iu"
    if whole and labels.size and labels.min() >= 0 and labels.max() < MOST_CLASSES:
        # Class 3 has the same colour whether or not the samples hold classes 0 to 2.
        known, places = np.arange(labels.max() + 1), labels
    else:
        known, places = np.unique(labels, return_inverse=True)
    y = torch.as_tensor(places.astype(np.int64))
    # A conditional model takes the labels of the samples for what is known of them.
    context = torch.as_tensor(labels.astype(np.int64)) if whole and model.sizes.context else None
    return look(model, x, y, [str(name) for name in known], context)


def _example(model: Autoencoder, x: Any) -> Tensor:
    x = torch.as_tensor(x)
    if x.numel() != model.sizes.pixels:
        raise DataError(
            f"This model takes one example of shape {model.sizes.x}, and this is {tuple(x.shape)}",
            "Give one image, as in interpolate(model, x[0], x[1]).",
        )
    return x.reshape(model.sizes.x)


def _pictures(model: Autoencoder, codes: Tensor, context: Any) -> np.ndarray:
    told = None
    if context is not None:
        one = torch.as_tensor(context)
        told = one.expand(len(codes), *one.shape)
    return tiles(decode(model, codes, told), kind=len(model.sizes.x))
