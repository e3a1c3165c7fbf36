"""Figures of what was measured: the extremes, the classes, and the map of neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba

from autoencode.evaluation import Projection
from autoencode.report.figures.best_and_worst import BestAndWorst
from autoencode.report.figures.class_errors import MAX_BARS, ClassErrors
from autoencode.report.figures.projection import CodeProjection
from autoencode.report.style import colours
from autoencode.report.view import View


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_extremes_are_named_and_best_ones_come_first(make, few):
    view = View.of(make("ae", (8, 8)), few.test.x, few.test.y, few.classes)
    order = view.errors.argsort()
    rows = torch.cat([order[:3], order.flip(0)[:10]])
    seen = View.of(view.model, few.test.x[rows], few.test.y[rows], few.classes)
    seen = replace(seen, positions=rows, total=120)
    shown = BestAndWorst(seen, 3, view.errors.mean().item())
    figure = shown.draw()
    said = words(figure)
    assert [word for word in said if word.isalpha()] == ["lowest", "highest"]
    # Per row of pairs: the classes above, the errors below.
    labels = [few.classes[label] for label in few.test.y[rows[:3]].tolist()]
    places = rows[:3].tolist()
    assert said[:3] == [f"{label}\n#{i}" for label, i in zip(labels, places, strict=True)]
    assert said[4:7] == [f"{error:#.3g}" for error in view.errors[rows[:3]].tolist()]
    assert said[-2:] == [f"{error:#.3g}" for error in view.errors[rows[-2:]].tolist()]
    times = view.errors.max() / view.errors.mean()
    assert f"{times:.1f} times the mean" in shown.findings()
    assert "the 3 with the lowest and the 10 with the highest" in shown.caption()
    first = rows[3:6].tolist()
    words_of_worst = f"Highest errors: example {first[0]} ({view.errors[first[0]]:#.3g}), "
    assert words_of_worst + f"example {first[1]}" in shown.findings()
    assert "position in the test part are above" in shown.caption()
    # Nothing is compared with a mean of nothing.
    assert "times" not in replace(shown, mean=0.0).findings()


def test_files_are_named_by_the_ends_of_their_names(make, few):
    rows = torch.tensor([70, 7, 100])
    seen = View.of(make("ae", (8, 8)), few.test.x[rows])
    shown = BestAndWorst(seen, 1, 1.0, ["scans/0070.png", "b.png", "c\nd.png"])
    said = words(shown.draw())
    assert [word for word in said if "png" in word] == ["…070.png", "b.png", "c d.png"]
    assert list(shown.table().columns["example"]) == ["scans/0070.png", "b.png", "c\nd.png"]
    assert "b.png (" in shown.findings()
    assert "The end of its name is above" in shown.caption()


def test_bars_by_class_begin_with_the_hardest():
    errors, classes = [2.0, 8.0, 0.0], ["a", "b", "c"]
    figure = ClassErrors(errors, classes, 3.5).draw()
    axes = figure.axes[0]
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "c"]
    assert [bar.get_width() for bar in axes.patches] == [8, 2, 0]
    heights = [axes.transData.transform((0, bar.get_y()))[1] for bar in axes.patches]
    assert heights == sorted(heights, reverse=True)
    assert "“b” has the highest error, 8.00." in ClassErrors(errors, classes, 3.5).findings()
    assert "4.0 times the error of “a”" in ClassErrors(errors[:2], classes[:2], 5.0).findings()
    many = ClassErrors([float(i) for i in range(100)], [str(i) for i in range(100)], 50.0).draw()
    assert len(many.axes[0].patches) == MAX_BARS
    assert "the 40 highest of 100" in ClassErrors([1.0] * 100, [""] * 100, 1.0).caption()


@pytest.mark.parametrize("labelled", [True, False])
def test_a_map_has_a_dot_for_each_code_and_no_axes(labelled):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 2
    points = torch.randn(60, 2, generator=generator) + 50 * y.unsqueeze(1)
    y[0] = 1  # one that lies among the others
    rows = torch.arange(60) * 2
    projected = Projection(points, rows, "tsne", 0, 120)
    shown = CodeProjection(projected, y if labelled else None, ["left", "right"])
    figure = shown.draw()
    axes = figure.axes[0]
    (dots,) = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert len(dots.get_offsets()) == 60
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    low, high = axes.get_xlim()
    assert low < points[:, 0].min() < points[:, 0].max() < high
    assert "60 of 120 test examples" in shown.caption()
    assert "have no meaning" in shown.caption()
    assert words(figure) == (["left", "right"] if labelled else [])
    if labelled:
        colour = dict(zip(dots.get_offsets()[:, 0].tolist(), dots.get_facecolors(), strict=True))
        assert np.allclose(colour[points[0, 0].item()][:3], to_rgba(colours(2)[1])[:3])
        near = torch.cdist(points, points).fill_diagonal_(1e9).argmin(1)
        share = (y[near] == y).double().mean()
        assert 0 < share < 1
        same = (y == y.unsqueeze(1)).double().fill_diagonal_(0)
        chance = same.sum() / (60 * 59)
        assert f"same label for {share:.0%} of the points ({chance:.0%}" in shown.findings()
    assert "A scatter plot, by t-SNE" in shown.alt()
