import itertools

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from autoencode.report.charts import (
    Series,
    bars,
    code_planes,
    curves,
    frontier,
    image_rows,
    matrix,
)
from autoencode.report.labels import separated, text_width, tick_label, wrapped
from autoencode.report.style import colours

SIZES = [1, 2, 4, 8, 16, 32]


def texts(figure):
    """All that is written in a figure, with the box of each in dots."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = {
        # Of a name that is tied to a point the words alone.
        text: Text.get_window_extent(text, canvas.get_renderer())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip()
    }
    # Numbers of ticks beyond the ends of an axis are there, and not drawn.
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn = {tick.label1 for tick in axis._update_ticks()}
            drawn |= {tick.label2 for tick in axis._update_ticks()}
            hidden |= set(axis.get_ticklabels(which="both")) - drawn
    return {text: box for text, box in found.items() if text not in hidden}


def said(figure):
    return {" ".join(text.get_text().split()) for text in texts(figure)}


def check(figure):
    """Nothing that is written leaves the figure or touches another; returns what is written."""
    found = texts(figure)
    width, height = figure.canvas.get_width_height()
    for text, box in found.items():
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        assert inside, text
    for (one, a), (other, b) in itertools.combinations(found.items(), 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        # Boxes are a little higher than letters.
        assert across <= 1 or down <= 4, (one.get_text(), other.get_text())
    return said(figure)


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def falling(name, factor=1.0, **more):
    return Series(name, SIZES, [factor * 40 / size**0.7 for size in SIZES], **more)


def test_lines_are_named_at_their_ends_and_sizes_are_the_ticks():
    figure = curves(
        [falling("autoencoder"), falling("variational autoencoder, a wide one", 1.2)],
        "numbers in the code",
        "squared error, summed over 784 values",
        log_x=True,
        marked=[(4, "the elbow")],
    )
    axes = figure.axes[0]
    words = check(figure)
    assert {"autoencoder", "variational autoencoder, a wide one", "the elbow"} <= words
    assert {"numbers in the code", "squared error, summed over 784 values"} <= words
    assert ticks(axes.xaxis) == [str(size) for size in SIZES]
    assert not figure.legends
    assert axes.lines[0].get_xdata().tolist() == SIZES
    assert axes.lines[0].get_ydata().tolist() == falling("").y


def test_names_at_the_same_end_part():
    check(curves([falling(f"model number {i}", 1 + i / 1000) for i in range(6)], log_x=True))


@pytest.mark.long
def test_lines_that_end_early_or_lie_too_thick_have_a_legend():
    early = curves([falling("all"), Series("a few", [1, 2], [3, 4], dashed=True)], log_x=True)
    assert [text.get_text() for text in early.legends[0].get_texts()] == ["all", "a few"]
    assert {"all", "a few"} <= check(early)
    many = [falling(f"a model of some name {i}", 1 + i / 500) for i in range(14)]
    assert len(curves(many).legends[0].get_texts()) == 14
    check(curves(many))


def test_points_without_a_value_are_omitted_dimensions_and_the_others_sorted():
    figure = curves([Series("one", [3, 1, 2, 4], [30, 10, np.nan, 40])])
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 10], [3, 30], [4, 40]]
    check(curves([Series("none", [], []), Series("one", [1], [2])]))


def test_few_points_have_bars_and_many_a_band():
    few = curves([falling("one", low=np.zeros(6), high=np.full(6, 50))]).axes[0]
    assert [path.vertices[:, 1].tolist() for path in few.collections[0].get_paths()] == [
        [0, 50]
    ] * 6
    x = np.arange(100)
    many = curves([Series("one", x, x / 10, x / 10 - 1, x / 10 + 1)]).axes[0]
    assert many.collections[0].get_paths()[0].contains_point((50, 5.9))
    assert not many.collections[0].get_paths()[0].contains_point((50, 6.1))
    assert many.get_ylim()[1] > 10.9


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize("log_x", [False, True])
def test_nothing_touches_whatever_the_scale(log_x, log_y):
    x = np.arange(1, 20_002, 500)
    lines = [
        Series(f"rate {r:g}", x, 20 + 200 * np.exp(-x * r), dashed=r < 3e-4)
        for r in (1e-3, 5e-4, 2e-4)
    ]
    marked = [(300, "the end of the warm-up"), (900, "one more here"), (19_900, "the rate falls")]
    figure = curves(lines, log_x=log_x, log_y=log_y, marked=marked)
    assert {"rate 0.001", "the end of the warm-up", "one more here"} <= check(figure)
    assert len(ticks(figure.axes[0].yaxis)) >= 3
    assert figure.axes[0].get_yscale() == ("log" if log_y else "linear")


def test_zero_has_a_place_beside_a_logarithm():
    figure = curves([Series("one", [0, 0.1, 1, 10], [1, 2, 3, 4])], "β", log_x=True)
    assert ticks(figure.axes[0].xaxis) == ["0", "0.1", "1", "10"]
    check(figure)


def test_on_a_linear_axis_sizes_that_would_touch_are_not_all_written():
    found = ticks(curves([Series("one", [1, 2, 4, 8, 16, 64], range(6))]).axes[0].xaxis)
    assert 3 < len(found) < 6
    assert set(found) < {"1", "2", "4", "8", "16", "64"}
    assert found[-1] == "64"


def test_bars_have_their_values_beside_them():
    names = ["ae", "vae", "a convolutional denoising autoencoder with top-k codes", "none"]
    intervals = [(30, 32), (8, 11), (40, 49), (np.nan, np.nan)]
    figure = bars(names, [31.2, 9.31, 44.1, np.nan], "squared error", intervals, best="low")
    assert {*names, "31.2", "9.31", "44.1", "–", "squared error"} <= check(figure)
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [31.2, 9.31, 44.1, 0]
    painted = [bar.get_facecolor() for bar in axes.patches]
    assert painted[0] == painted[2] != painted[1]
    assert [text.get_text() for text in axes.texts if text.get_weight() == "bold"] == ["9.31"]
    # The value of a bar stands behind its whisker.
    at = {text.get_text(): text.xy[0] for text in axes.texts}
    assert at["44.1"] == 49


def test_bars_below_zero():
    figure = bars(["up", "down"], [0.5, -0.2], "change, nats")
    assert {"up", "down", "0.500", "−0.200"} <= check(figure)
    assert all(
        bar.get_facecolor() == figure.axes[0].patches[0].get_facecolor()
        for bar in figure.axes[0].patches
    )


def test_a_number_stands_in_each_cell_of_a_matrix():
    values = [[0.5, 0.25, np.nan], [1.5, 0.125, 2.0]]
    rows, columns = ["trained clean", "trained on noise"], ["clean", "salt and pepper", "squares"]
    figure = matrix(values, rows, columns, "error", "model", "test data", best="low")
    words = check(figure)
    assert {*rows, *columns, "model", "test data", "0.50", "1.50", "0.12", "–"} <= words
    assert "error; framed: the lowest of its column" in words
    frames = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    found = {(round(p.get_y() + 0.45), round(p.get_x() + 0.47)) for p in frames}
    assert found == {(0, 0), (1, 1)}
    bare = matrix(values, rows, columns, "error")
    assert not bare.axes[0].patches
    assert "error" in check(bare)


def test_letters_of_a_matrix_are_light_on_dark_and_dark_on_light():
    axes = matrix([[0.0, 1.0]], ["row"], ["low", "high"], "share").axes[0]
    low, high = (sum(to_rgba(text.get_color())[:3]) for text in axes.texts[:2])
    assert low < 1 < 2.5 < high


@pytest.mark.long
def test_a_matrix_of_many_columns_sets_their_names_on_end():
    names = [f"completeness {i}" for i in range(12)]
    assert set(names) <= check(matrix(torch.rand(3, 12), ["a", "b", "c"], names, "share"))


@pytest.mark.parametrize("shape", [(28, 28), (3, 16, 16), (30,)])
def test_rows_of_images_of_every_kind(shape):
    rows = [("original", torch.rand(10, *shape)), ("restored by the model", torch.ones(10, *shape))]
    figure = image_rows(rows, [f"class {i}" for i in range(10)])
    words = check(figure)
    assert {"original", "restored by the model", "class 0", "class 9"} <= words
    assert len(figure.axes[0].images) == 2
    assert figure.axes[0].images[1].get_array().shape[1] > 500


def test_images_of_bytes_are_those_of_floats():
    x = torch.randint(0, 256, (4, 5, 5), dtype=torch.uint8)
    one, other = image_rows([("a", x), ("b", x / 255)]).axes[0].images
    assert np.array_equal(one.get_array(), other.get_array())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.long
def test_planes_share_their_colours_and_not_their_limits(n):
    codes, y = torch.randn(200, 2), torch.arange(200) % 3
    panels = [(f"a model of weight {i}", codes * 10**i, y) for i in range(n)]
    figure = code_planes(panels, ["T-shirt", "never seen", "coat", "bag"][:3])
    assert {name for name, *_ in panels} <= check(figure)
    shown = [axes for axes in figure.axes if axes.axison]
    for i, axes in enumerate(shown):
        (dots,) = [c for c in axes.collections if isinstance(c, PathCollection)]
        assert axes.get_xlim()[1] == pytest.approx(10**i * shown[0].get_xlim()[1])
        assert np.ptp(axes.get_xlim()) == pytest.approx(np.ptp(axes.get_ylim()), rel=1e-4)
        places = np.asarray(dots.get_offsets())
        place = int(np.abs(places - (codes[2] * 10**i).numpy()).sum(1).argmin())
        assert dots.get_facecolors()[place, :3] == pytest.approx(to_rgba(colours(3)[2])[:3])
    assert len(figure.legends) == 1


def test_planes_name_only_the_classes_that_are_there():
    codes = torch.randn(50, 2)
    codes[0] = torch.nan
    figure = code_planes([("labelled", codes, torch.full((50,), 1)), ("not", codes, None)], "abc")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["b"]
    assert len(figure.axes[0].collections[0].get_offsets()) == 49
    assert not code_planes([("not", codes, None)], []).legends
    check(code_planes([("nothing", torch.full((5, 2), torch.nan), None)], []))


def test_points_of_a_frontier_are_named_beside_them():
    points = [
        (f"β = {b}", r, d)
        for b, r, d in [
            (0.1, 45, 12),
            (0.5, 25.5, 22.3),
            (1, 19, 29),
            (2, 13, 36),
            (4, 8, 42),
            (8, 3, 49),
            (16, 0.01, 52.9),
            (32, 0.01, 52.7),
            (64, 0.0, 52.8),
        ]
    ]
    figure = frontier(points, "rate, nats", "distortion, squared error")
    words = check(figure)
    assert {name for name, *_ in points} | {"rate, nats", "distortion, squared error"} <= words
    axes = figure.axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[r, d] for _, r, d in points]
    # No name hides a point.
    dots = axes.transData.transform(axes.lines[0].get_xydata())
    boxes = [box for text, box in texts(figure).items() if text in axes.texts]
    assert not any(box.contains(*dot) for box in boxes for dot in dots)


def test_words_in_lines_that_fit():
    assert wrapped("one two", 9) == "one two"
    lines = wrapped("a variational autoencoder of some width", 1.2)
    assert lines.count("\n") == 2
    assert text_width(lines) <= 1.2
    assert wrapped("unbreakable", 0.1) == "unbreakable"


def test_things_move_apart_as_little_as_needed():
    assert separated([0.1, 0.5, 0.9], [0.2] * 3, 0, 1) == pytest.approx([0.1, 0.5, 0.9])
    assert separated([0.5, 0.5], [0.2, 0.2], 0, 1) == pytest.approx([0.4, 0.6])
    assert separated([0.0, 0.0], [0.2, 0.4], 0, 1) == pytest.approx([0.1, 0.4])
    assert separated([1.0, 0.9], [0.2, 0.2], 0, 1) == pytest.approx([0.9, 0.7])


def test_figures_of_an_axis():
    assert [tick_label(v) for v in (0, 0.25, -3.0, 20_000, 1e12)] == [
        "0",
        "0.25",
        "−3",
        "20,000",
        "1e+12",
    ]
