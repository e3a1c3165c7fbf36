"""Codes of test examples that are unlike the training examples: noisy, blurred, hidden, rotated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from scipy import ndimage  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.data import scaled
from autoencode.evaluation.context import SEED, EvaluationContext
from autoencode.evaluation.metrics.class_probes import NEIGHBOURS, knn_hits
from autoencode.evaluation.records import Record
from autoencode.models.inference import embed, seeded
from autoencode.parts.corruptions import Blur, GaussianNoise, Masking, Occlusion

# Test examples that are changed, and training codes that may be their neighbours.
MAX_TEST, MAX_TRAIN = 2_000, 20_000
DEGREES = (15, 30)

Transform = Callable[[Tensor], Tensor]


def measure(ctx: EvaluationContext) -> Iterator[Record]:
    """How far codes move when the inputs change, and the k-NN accuracy of the moved codes."""
    rows = ctx.evenly_spread(MAX_TEST)
    clean, codes = scaled(ctx.test.x[rows]), ctx.codes[rows]
    context = None if ctx.context is None else ctx.context[rows]
    spread = (codes - codes.mean(0)).norm(dim=1).mean()
    for name, what, transform in _transforms(ctx):
        with seeded(SEED, torch.device("cpu")):
            changed = transform(clean)
        moved = embed(ctx.model, changed, context, ctx.batch_size).flatten(1).float().cpu()
        if spread > 0:
            distance = (moved - codes).norm(dim=1) / spread
            note = f"Distance that codes move under {what}, over their mean distance from the mean."
            yield ctx.mean(f"code_shift_{name}", distance, "spreads of the codes", note, rows)
        if ctx.labels is not None:
            known, labels = ctx.labelled_codes(MAX_TRAIN)
            hits = knn_hits(known, labels, moved, ctx.labels[1][rows])
            k = min(NEIGHBOURS, len(known))
            note = (
                f"k-NN accuracy of codes under {what}; {k} of {len(known):,} clean training codes."
            )
            yield ctx.mean(f"knn_accuracy_{name}", hits, "fraction", note, rows)


def rotated(x: Tensor, degrees: float) -> Tensor:
    """Images [N, (C,) H, W] rotated about their centre, counter-clockwise; black fills the rest."""
    plane = {"axes": (-2, -1), "reshape": False, "mode": "grid-constant"}
    return torch.from_numpy(ndimage.rotate(x.numpy(), degrees, order=1, **plane)).clamp(0, 1)


def _transforms(ctx: EvaluationContext) -> Iterator[tuple[str, str, Transform]]:
    """Name, description and function of each change that has a meaning for the examples."""
    sizes = ctx.model.sizes
    yield "noise", "Gaussian noise of σ = 0.3", GaussianNoise(sizes, 0.3)
    yield "masking", "a quarter of the values set to 0", Masking(sizes, 0.25)
    if sizes.image is None:
        return
    yield "blur", "a Gaussian blur of σ = 1.5 pixels", Blur(sizes, 1.5)
    yield "occlusion", "a black rectangle of 0.3 of each side", Occlusion(sizes, 0.3)
    for degrees in DEGREES:
        yield f"turn_{degrees}", f"a rotation by {degrees}°", partial(rotated, degrees=degrees)
