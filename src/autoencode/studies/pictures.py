"""Image figures that several studies share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.evaluation import decode, embed, reconstruct
from autoencode.evaluation.context import EvaluationContext
from autoencode.explore.projection import project
from autoencode.models.conditions import conditioning
from autoencode.report.charts import code_planes, image_rows
from autoencode.report.figures.base import ChartFigure
from autoencode.report.tables import Table
from autoencode.studies.results import Result

CPU = torch.device("cpu")
# Examples in a row of a figure.
SHOWN = 12
# Codes in a scatter plot, since t-SNE takes time.
MAX_PLOTTED = 3_000


def originals(data: Data, n: int = SHOWN) -> Tensor:
    """The first test examples, [n, *X] in [0, 1]."""
    return scaled(data.test.x[:n])


def reconstructions(result: Result, data: Data, n: int = SHOWN) -> Tensor:
    """Reconstructions of the first test examples, [n, *X]."""
    context = conditioning(result.training.recipe, data.test)
    model = result.run.load_model()
    return reconstruct(model, data.test.x[:n], None if context is None else context[:n])


def samples(result: Result, data: Data, n: int = SHOWN) -> Tensor:
    """Decoded random codes, [n, *X]: the same codes for models of equal latent space and prior.

    Codes come from the sampler or prior; without one, from the bounding box of the training codes.
    """
    measured = EvaluationContext(result.run.load_model(), data)
    codes, _ = measured.random_codes(n)
    codes = measured.box_codes(n) if codes is None else codes
    return decode(measured.model, codes, measured.context_of_random(n)).clamp(0, 1)


def reconstruction_figure(data: Data, models: Mapping[str, Result]) -> ChartFigure:
    """The first test examples and their reconstructions, one row for each model."""
    rows = [("original", originals(data))]
    rows += [(name, reconstructions(result, data)) for name, result in models.items()]
    return ChartFigure(
        title="Reconstructions",
        picture=image_rows(rows),
        text="The first test examples and their reconstructions by each model.",
        note="Compare each row with the first.",
        alt_text="Rows of test examples and their reconstructions.",
    )


def sample_figure(data: Data, models: Mapping[str, Result], about: str) -> ChartFigure:
    """Test examples and decoded random codes, one row for each model."""
    rows = [("test examples", originals(data))]
    rows += [(name, samples(result, data)) for name, result in models.items()]
    return ChartFigure(
        title="Samples from random codes",
        picture=image_rows(rows),
        text=about,
        note="Compare each row with the test examples.",
        alt_text="Rows of decoded random codes, one for each model.",
    )


def code_figure(data: Data, models: Mapping[str, Result], about: str, note: str) -> ChartFigure:
    """Codes of test examples on a plane, coloured by class, one panel for each model.

    about: the caption, with {} for the number of codes.
    """
    x, y = data.test.x[:MAX_PLOTTED], data.test.y
    y = None if y is None else y[:MAX_PLOTTED]
    columns: dict[str, list[str] | list[float]] = {}
    if y is not None:
        columns["class"] = [data.classes[int(k)] for k in y]
    panels = []
    for name, result in models.items():
        codes = embed(result.run.load_model(), x).flatten(1)
        is_plane = codes.shape[1] == 2
        title = name if is_plane else f"{name}: t-SNE of the codes"
        points = codes if is_plane else project(codes, "tsne")
        panels.append((title, points, y))
        columns |= {f"{title}, {axis}": points[:, i].tolist() for i, axis in enumerate("xy")}
    return ChartFigure(
        title="Latent space",
        picture=code_planes(panels, data.classes),
        text=about.format(f"{len(x):,}"),
        note=note,
        alt_text="Scatter plots of codes, one for each model.",
        data=Table(columns),
    )
