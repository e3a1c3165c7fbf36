"""Codes of examples that are not as the training examples were: noisy, blurred, hidden, turned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.data import scaled
from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.metrics.codes import NEIGHBOURS, knn_hits
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Record
from autoencode.models.inference import embed, seeded
from autoencode.parts.corruptions import Blur, GaussianNoise, Masking, Occlusion

# Test examples and neighbours that codes under shift are looked at with.
MOST_TEST, MOST_TRAIN = 2_000, 20_000
DEGREES = (15, 30)

Shift = Callable[[Tensor], Tensor]


def measure(subject: EvaluationContext) -> Iterator[Record]:
    """How far codes move under a shift of the input, and whether their class is still told."""
    step = max(1, len(subject.test) // MOST_TEST)
    chosen = slice(None, None, step)
    clean = scaled(subject.test.x[chosen])
    told = subject.told(subject.test)
    told = None if told is None else told[chosen]
    codes = subject.codes[chosen]
    spread = (codes - codes.mean(0)).norm(dim=1).mean()
    for name, what, shift in _shifts(subject):
        with seeded(SEED, torch.device("cpu")):
            shifted = shift(clean)
        moved = embed(subject.model, shifted, told, subject.batch_size).flatten(1).float().cpu()
        n = len(moved)
        if spread > 0:
            way = (moved - codes).norm(dim=1) / spread
            note = f"How far codes move under {what}, over their mean distance from their mean."
            yield Record(
                f"code_shift_{name}",
                way.mean().item(),
                "spreads of the codes",
                n,
                note,
                bootstrap(way),
            )
        if subject.has_labels:
            known = (subject.data.train.y >= 0).nonzero().flatten()[:MOST_TRAIN]
            k = min(NEIGHBOURS, len(known))
            hits = knn_hits(
                subject.train_codes[known],
                subject.data.train.y[known],
                moved,
                subject.test.y[chosen],
                k,
            ).double()
            note = (
                f"k-NN accuracy of codes under {what}; {k} of {len(known):,} clean training codes."
            )
            yield Record(
                f"knn_accuracy_{name}", hits.mean().item(), "fraction", n, note, bootstrap(hits)
            )


def turned(x: Tensor, degrees: float) -> Tensor:
    """Images [N, (C,) H, W] turned about their middle, counter-clockwise; black comes in."""
    images = x.reshape(len(x), -1, *x.shape[-2:])
    height, width = images.shape[-2:]
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    # The grid runs from −1 to 1 along either side, whatever their lengths.
    matrix = torch.tensor([[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]])
    grid = functional.affine_grid(
        matrix.expand(len(x), 2, 3), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, align_corners=False).reshape(x.shape).clamp(0, 1)


def _shifts(subject: EvaluationContext) -> Iterator[tuple[str, str, Shift]]:
    """Name, words and what it does, for each shift that has a meaning for the examples."""
    sizes = subject.model.sizes
    yield "noise", "Gaussian noise of σ = 0.3", GaussianNoise(sizes, 0.3)
    yield "masking", "a quarter of the numbers set to 0", Masking(sizes, 0.25)
    if sizes.image is None:
        return
    yield "blur", "a Gaussian blur of σ = 1.5 pixels", Blur(sizes, 1.5)
    yield "occlusion", "a black rectangle of 0.3 of each side", Occlusion(sizes, 0.3)
    for degrees in DEGREES:
        yield f"turn_{degrees}", f"a turn by {degrees}°", partial(turned, degrees=degrees)
