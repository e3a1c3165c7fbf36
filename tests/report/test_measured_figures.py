"""Figures of what was measured: the extremes, the classes, and the map of neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba

from autoencode.evaluation import Projection
from autoencode.report.figures import by_class, extremes
from autoencode.report.figures import map as neighbour_map
from autoencode.report.style import colours
from autoencode.report.view import look


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_extremes_are_named_and_best_ones_come_first(make, few):
    view = look(make("ae", (8, 8)), few.test.x, few.test.y, few.classes)
    order = view.errors.argsort()
    rows = torch.cat([order[:3], order.flip(0)[:10]])
    seen = look(view.model, few.test.x[rows], few.test.y[rows], few.classes)
    seen = replace(seen, places=rows, of=120)
    figure = extremes.draw(seen, 3, view.errors.mean().item())
    said = words(figure)
    assert [word for word in said if word.isalpha()] == ["best", "worst"]
    # Per row of pairs: the classes above, the errors below.
    assert said[:3] == [few.classes[label] for label in few.test.y[rows[:3]].tolist()]
    assert said[4:7] == [f"{error:#.3g}" for error in view.errors[rows[:3]].tolist()]
    assert said[-2:] == [f"{error:#.3g}" for error in view.errors[rows[-2:]].tolist()]
    times = view.errors.max() / view.errors.mean()
    assert f"{times:.1f} times the mean" in extremes.see(seen, 3, view.errors.mean().item())
    assert "the 3 of the lowest and the 10 of the highest" in extremes.about(seen, 3, 1.0)
    # Nothing is compared with a mean of nothing.
    assert "times" not in extremes.see(seen, 3, 0.0)


def test_bars_by_class_begin_with_the_hardest():
    errors, classes = [2.0, 8.0, 0.0], ["a", "b", "c"]
    figure = by_class.draw(errors, classes, 3.5)
    axes = figure.axes[0]
    figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "c"]
    assert [bar.get_width() for bar in axes.patches] == [8, 2, 0]
    assert [bar.get_y() for bar in axes.patches] == sorted(
        (bar.get_y() for bar in axes.patches), reverse=True
    )
    assert "“b” comes back worst, with 8.00." in by_class.see(errors, classes, 3.5)
    assert "4.0 times the error of “a”" in by_class.see(errors[:2], classes[:2], 5.0)
    many = by_class.draw([float(i) for i in range(100)], [str(i) for i in range(100)], 50.0)
    assert len(many.axes[0].patches) == by_class.MOST
    assert "the 40 hardest of 100" in by_class.about([1.0] * 100, [""] * 100, 1.0)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_map_has_a_dot_for_each_code_and_no_axes(labelled):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 2
    points = torch.randn(60, 2, generator=generator) + 50 * y.unsqueeze(1)
    y[0] = 1  # one that lies among the others
    rows = torch.arange(60) * 2
    given = (
        Projection(points, rows, "tsne", 0, 120),
        y if labelled else None,
        ["left", "right"],
        False,
    )
    figure = neighbour_map.draw(*given)
    axes = figure.axes[0]
    (dots,) = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert len(dots.get_offsets()) == 60
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    low, high = axes.get_xlim()
    assert low < points[:, 0].min() < points[:, 0].max() < high
    assert "60 of 120 test examples" in neighbour_map.about(*given)
    assert "mean nothing here" in neighbour_map.about(*given)
    assert words(figure) == (["left", "right"] if labelled else [])
    if labelled:
        colour = dict(zip(dots.get_offsets()[:, 0].tolist(), dots.get_facecolors(), strict=True))
        assert np.allclose(colour[points[0, 0].item()][:3], to_rgba(colours(2)[1])[:3])
        near = torch.cdist(points, points).fill_diagonal_(1e9).argmin(1)
        share = (y[near] == y).double().mean()
        assert 0 < share < 1
        chance = (y == y.unsqueeze(1)).double().mean()
        said = f"For {share:.0%} of the dots the nearest one is of the same class"
        assert f"{said}; were all classes mixed, for {chance:.0%}." in neighbour_map.see(*given)
        assert "need not hold it" in neighbour_map.see(*given[:3], True)
    assert "A scatter plot, by t-SNE" in neighbour_map.alt(*given)
