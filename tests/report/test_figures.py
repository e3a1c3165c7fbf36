import json

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from torch.distributions import Independent, Normal

from autoencode.errors import DataError, Diverged
from autoencode.report import measurements
from autoencode.report.figures import decoded_grid, interpolation, samples
from autoencode.report.figures.class_samples import NEIGHBOURS, ClassSamples
from autoencode.report.figures.decoded_grid import DecodedGrid
from autoencode.report.figures.interpolation import Interpolation
from autoencode.report.figures.kl_by_dimension import KLByDimension
from autoencode.report.figures.latent_space import LatentSpace
from autoencode.report.figures.reconstructions import Reconstructions
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.figures.samples import Samples
from autoencode.report.figures.training_curves import TrainingCurves
from autoencode.report.figures.training_progress import MAX_SNAPSHOTS, TrainingProgress
from autoencode.report.style import colours
from autoencode.report.view import MAX_EXAMPLES, View

OF_VIEW = (Reconstructions, LatentSpace, Samples, DecodedGrid, Interpolation)


UNITS = {"reconstruction": "nats"}


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def pictures(figure):
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


@pytest.mark.parametrize(
    ("recipe", "x", "latent", "classes", "n"),
    [
        pytest.param("ae", (37, 53), 2, 3, 30, marks=pytest.mark.long),
        pytest.param("conv-ae", (3, 37, 53), 30, 0, 20, marks=pytest.mark.long),
        ("vae", (30,), 2, 2, 20),
        pytest.param("ae", (300,), 1, 5, 20, marks=pytest.mark.long),
        pytest.param("conv-vae", (3, 64, 64), 1, 3, 9, marks=pytest.mark.long),
        pytest.param("vae", (8, 8), 30, 30, 60, marks=pytest.mark.long),
        pytest.param("ae", (4, 8, 8), 3, 1, 9, marks=pytest.mark.long),
        ("ae", (8, 8), 2, 2, 1),
        pytest.param("vae", (8, 8), 5, 0, 1, marks=pytest.mark.long),
        ("ae", (1,), 1, 2, 2),
    ],
)
def test_every_shape_has_its_figures(make, recipe, x, latent, classes, n):
    model = make(recipe, x, latent)
    examples = torch.rand(n, *x, generator=torch.Generator().manual_seed(0))
    y = torch.arange(n) % classes if classes else None
    view = View.of(model, examples, y, [f"class {i}" for i in range(classes)])
    for kind in (*OF_VIEW, ClassSamples) if classes else OF_VIEW:
        figure = kind(view)
        assert figure.draw().pixels(20).std() > 0
        assert min(len(figure.caption()), len(figure.alt())) > 20
        assert figure.findings() == figure.findings()


@pytest.fixture
def square(glass):
    """The Glass model and images with codes all over a square, of two classes."""
    codes = 0.1 + 0.8 * torch.rand(500, 2, generator=torch.Generator().manual_seed(0))
    y = (codes[:, 0] > 0.5).long()
    return View.of(glass(), glass.images(codes), y, ["left", "right"])


def test_looking_changes_nothing(make):
    model = make("ae-dropout", (8, 8)).train()
    before = torch.random.get_rng_state()
    view = View.of(model, torch.full((10, 8, 8), 0.5))
    torch.testing.assert_close(view.codes, View.of(model, view.x).codes)
    assert view.posterior_samples.shape == (10, 2)
    assert model.training
    assert torch.equal(before, torch.random.get_rng_state())


def test_rows_stand_upright():
    upright = np.zeros((3, 10, 10, 3), np.uint8)
    upright[:, :5] = 255
    upright[:, :5, 5:] = 128
    pixels = draw_rows([Row(upright, "label", above="abc", below="xyz")]).pixels(100)[..., 0]
    dark = np.argwhere(pixels[:, 200:] < 10)
    grey = np.argwhere((pixels[:, 200:] > 125) & (pixels[:, 200:] < 131))
    assert len(dark) > 1000
    assert len(grey) > 500
    assert grey[:, 0].mean() < dark[:, 0].min()


def test_of_very_many_examples_some_are_shown_in_their_order(glass):
    codes = torch.linspace(0, 1, MAX_EXAMPLES + 500).unsqueeze(1).expand(-1, 2)
    view = View.of(glass(), glass.images(codes), torch.zeros(len(codes)).long(), ["one"])
    assert len(view.codes) == len(view.x) == len(view.y) == MAX_EXAMPLES
    assert (
        f"{MAX_EXAMPLES:,} of {MAX_EXAMPLES + 500:,} test examples" in LatentSpace(view).caption()
    )
    torch.testing.assert_close(view.codes, view.x[:, :, 0])
    assert (view.codes[:, 0].diff() > 0).all()


def test_what_cannot_be_looked_at(glass):
    with pytest.raises(DataError, match="no examples"):
        View.of(glass(), torch.zeros(0, 2, 2))
    with pytest.raises(Diverged, match="not finite"):
        View.of(glass(), torch.full((3, 2, 2), float("nan")))


def test_reconstructions_are_random_ones_and_the_median(make, few):
    view = View.of(make("ae", (8, 8)), few.test.x, few.test.y, few.classes)
    figure = Reconstructions(view).draw()
    said, errors = words(figure), view.errors.sort().values
    assert [word for word in said if word.isalpha()] == ["random", "median"]
    notes = [word for word in said if not word.isalpha()]
    assert notes[16:24] == [f"{error:#.3g}" for error in errors[56:64].tolist()]
    assert len(figure.axes[0].images) == 6


def test_reconstructions_of_a_perfect_model(square):
    sheets = pictures(Reconstructions(square).draw())
    for original, copy in zip(sheets[::2], sheets[1::2], strict=True):
        assert np.array_equal(original, copy)
    assert not np.array_equal(sheets[0], sheets[2])


def test_plane_has_a_dot_of_the_right_colour_for_each_code(square):
    figure = LatentSpace(square).draw()
    (dots,) = [
        context for context in figure.axes[0].collections if isinstance(context, PathCollection)
    ]
    places, painted = np.asarray(dots.get_offsets()), dots.get_facecolors()
    assert len(places) == 500
    for side, colour in enumerate(colours(2)):
        own = painted[(places[:, 0] > 0.5) == side]
        assert np.allclose(own[:, :3], to_rgba(colour)[:3])
    # In random order, so that no class hides another.
    assert np.abs(np.diff((places[:, 0] > 0.5).astype(int))).sum() > 100
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["left", "right"]
    assert words(figure) == ["left", "right"]
    assert figure.axes[0].get_xlabel() == "z₁"
    low, high = figure.axes[0].get_xlim()
    assert high - low == pytest.approx(np.ptp(figure.axes[0].get_ylim()), rel=1e-5)


def test_names_on_the_plane_do_not_hide_each_other(glass):
    codes = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    view = View.of(
        glass(), glass.images(codes), torch.arange(300) % 10, [str(i) for i in range(10)]
    )
    figure = LatentSpace(view).draw()
    places = np.array([text.get_position() for text in figure.axes[0].texts])
    gaps = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(10)
    assert gaps.min() > 0.03 * np.ptp(figure.axes[0].get_xlim())


def test_plane_says_when_codes_lie_outside(glass):
    codes = torch.cat([torch.rand(1000, 2), torch.tensor([[50.0, 50.0]])])
    view = View.of(glass(), glass.images(codes))
    assert max(LatentSpace(view).draw().axes[0].get_xlim()) < 2
    assert "outside the axes" in LatentSpace(view).findings()


def test_codes_of_many_numbers_are_shown_on_their_principal_components(make):
    view = View.of(make("ae", (8, 8), 5), torch.rand(50, 8, 8))
    axes = LatentSpace(view).draw().axes[0]
    assert axes.get_xlabel().startswith("principal component 1 (")
    assert axes.get_ylabel().startswith("principal component 2 (")
    assert DecodedGrid(view).draw().axes[0].get_xlabel() == axes.get_xlabel()
    assert "principal components" in LatentSpace(view).caption()
    assert "principal components" in DecodedGrid(view).caption()


def test_codes_of_one_number_have_a_histogram_for_each_class(make):
    view = View.of(make("ae", (8, 8), 1), torch.rand(60, 8, 8), torch.arange(60) % 3, "abc")
    axes = LatentSpace(view).draw().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert len(axes.patches) == 3
    assert axes.get_xlabel() == "z₁"


def test_grid_lies_as_the_plane_does(square):
    figure = DecodedGrid(square).draw()
    (sheet,) = pictures(figure)
    n, side = decoded_grid.ROWS, len(sheet) // decoded_grid.ROWS
    # The rows of a Glass image are the first and the second number of its code.
    first = sheet[side // 4 :: side, side // 2 :: side, 0].astype(int)
    second = sheet[3 * side // 4 :: side, side // 2 :: side, 0].astype(int)
    assert first.shape == (n, n)
    assert (np.diff(first, axis=1) > 0).all()
    assert (np.diff(first, axis=0) == 0).all()
    assert (np.diff(second, axis=0) < 0).all()
    axes = figure.axes[0]
    for axis, values in ((axes.xaxis, first[0]), (axes.yaxis, second[::-1, 0])):
        ticks = [float(label.get_text()) for label in axis.get_ticklabels()]
        assert len(ticks) > 2
        known = np.interp(axis.get_ticklocs(), np.arange(n), values / 255)
        assert known == pytest.approx(ticks, abs=0.01)


def test_grid_covers_the_quantiles_of_a_prior(glass):
    prior = Independent(Normal(torch.tensor([0.5, 0.5]), torch.tensor([0.1, 0.2])), 1)
    view = View.of(glass(prior), glass.images(torch.rand(50, 2)))
    (sheet,) = pictures(DecodedGrid(view).draw())
    side = len(sheet) // decoded_grid.ROWS
    first = sheet[side // 4, side // 2 :: side, 0] / 255
    shares = Normal(0.5, 0.1).cdf(torch.from_numpy(first))
    expected = torch.linspace(*decoded_grid.QUANTILES, decoded_grid.ROWS)
    torch.testing.assert_close(shares.float(), expected, atol=0.02, rtol=0)


def test_random_codes_without_a_prior_fill_the_box(square):
    codes = square.random_codes(400)
    low, high = square.codes.amin(0), square.codes.amax(0)
    assert ((codes >= low) & (codes <= high)).all()
    assert (codes.amax(0) - codes.amin(0) > 0.95 * (high - low)).all()
    assert len(pictures(Samples(square).draw())) == samples.ROWS
    assert measurements.empty_region_share(square) < 0.1


def test_random_codes_between_two_clusters_stray(glass):
    codes = torch.rand(300, 2) * 0.01 + torch.randint(0, 2, (300, 1))
    view = View.of(glass(), glass.images(codes))
    assert measurements.empty_region_share(view) > 0.9
    assert "The codes are sampled from the bounding box" in Samples(view).findings()


def test_random_codes_of_a_prior_are_its_own(glass):
    prior = Independent(Normal(torch.full((2,), 5.0), torch.full((2,), 0.1)), 1)
    view = View.of(glass(prior), glass.images(torch.rand(50, 2)))
    codes = view.random_codes(300)
    assert codes.mean(0).tolist() == pytest.approx([5, 5], abs=0.05)
    assert measurements.empty_region_share(view) == 1
    assert "The codes are sampled from the prior" in Samples(view).findings()


def test_paths_lead_from_one_class_to_another(square):
    figure = Interpolation(square).draw()
    assert words(figure)[0] == "original"
    assert "right → left" in words(figure)
    (sheet,) = pictures(figure)
    # Columns: the original, the decoded codes, the other original.
    across = sheet.shape[1] / (interpolation.STEPS + 2)
    row = sheet[1, [int(across * (i + 0.5)) for i in range(interpolation.STEPS + 2)], 0].astype(int)
    assert row[0] == row[1]
    assert row[-1] == row[-2]
    assert row[1] > row[-1]
    assert np.ptp(np.diff(row[1:-1])) <= 2


def test_paths_are_the_same_for_every_model(make, few):
    views = [
        View.of(make("ae", (8, 8), seed=s), few.test.x, few.test.y, few.classes) for s in (0, 1)
    ]
    assert interpolation.pairs(views[0]) == interpolation.pairs(views[1])
    assert interpolation.pairs(views[0])[0][0] == "1 → 0"
    first, second = interpolation.pairs(views[0])[0][1]
    assert few.test.y[[first, second]].tolist() == [1, 0]


def test_wanted_decodes_the_mean_of_each_class(square):
    figure = ClassSamples(square).draw()
    assert words(figure)[:2] == ["left", "right"]
    sheets = pictures(figure)
    assert len(sheets) == 1 + NEIGHBOURS
    means = [square.codes[square.y == label].mean(0)[0].item() for label in (0, 1)]
    quarter = sheets[0].shape[1] // 4
    assert sheets[0][1, [quarter, 3 * quarter], 0] / 255 == pytest.approx(means, abs=0.01)


def test_wanted_in_blocks(make):
    examples, y = torch.rand(60, 4, 4), torch.arange(60) % 30
    view = View.of(make("ae", (4, 4)), examples, y, [f"n{i}" for i in range(30)])
    assert len(pictures(ClassSamples(view).draw())) == 3 * (1 + NEIGHBOURS)


def log_of(*errors):
    lines = []
    for i, error in enumerate(errors):
        figures = {"loss": error, "squared_error": error, "terms": {"reconstruction": 2 * error}}
        lines.append({"step": 100 * i, **figures})
        lines.append({"step": 100 * i, "validation": {**figures, "squared_error": error + 1}})
    return lines


def test_curves_have_a_panel_for_each_quantity():
    figure = TrainingCurves(log_of(9.0, 4.0, 3.0), UNITS).draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["squared error, summed over one example", "reconstruction, nats per example"]
    training, validation = figure.axes[0].lines[:2]
    assert training.get_xydata().tolist() == [[0, 9], [100, 4], [200, 3]]
    assert validation.get_ydata().tolist() == [10, 5, 4]
    assert figure.axes[1].lines[0].get_ydata().tolist() == [18, 8, 6]
    assert figure.axes[-1].get_xlabel() == "step"
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["training", "validation"]
    said = TrainingCurves(log_of(9, 4, 3), UNITS).findings()
    assert "At step 200 the validation squared error is 4.00" in said


def axes_of_steps(figure):
    figure.canvas.draw()
    return [label.get_text() for label in figure.axes[-1].get_xticklabels() if label.get_text()]


def test_curves_say_what_was_cut_off_and_draw_no_term_that_was_not_measured():
    log = log_of(9000.0, *np.linspace(40, 30, 50))
    assert "are not shown" in TrainingCurves(log, UNITS).findings()
    assert "are not shown" not in TrainingCurves(log_of(4, 4, 3), UNITS).findings()
    assert "5,000" in axes_of_steps(TrainingCurves(log, UNITS).draw())
    for line in log:
        if "validation" in line:
            line["validation"]["terms"] = {"reconstruction": 0.0}
    found = {curve.name: curve for curve in TrainingCurves(log, UNITS).curves()}
    assert len(found["squared error, summed over one example"].validation) == 51
    assert len(found["reconstruction, nats per example"].validation) == 0
    assert len(found["reconstruction, nats per example"].training) == 51


def test_curves_leave_room_for_what_comes_late():
    axes = TrainingCurves(log_of(9000.0, *np.linspace(40, 30, 50)), UNITS).draw().axes[0]
    low, high = axes.get_ylim()
    assert 25 < low < 30
    assert 40 < high < 45


def test_curves_of_an_odd_log():
    log = json.loads('[{"step": 1, "loss": 1, "squared_error": NaN, "terms": {"kl": 2.0}}]')
    figure = TrainingCurves(log, UNITS).draw()
    assert figure.pixels(20).std() > 0
    assert TrainingCurves(log, UNITS).findings() == ""


def test_tracking_shows_the_first_and_the_last_and_early_steps_in_between(tmp_path, write_strip):
    for step in range(50, 1050, 50):
        write_strip(tmp_path / f"{step:09d}.png", torch.rand(12, 5, 4))
    write_strip(tmp_path / "originals.png", torch.zeros(12, 5, 4))
    progress = TrainingProgress(tmp_path, (5, 4))
    chosen = [step for step, _ in progress.snapshots()]
    assert len(chosen) == MAX_SNAPSHOTS
    assert chosen[:3] == [50, 100, 150]
    assert chosen[-1] == 1000
    figure = progress.draw()
    assert words(figure) == ["original", *[f"step {step:,}" for step in chosen]]
    assert pictures(figure)[0].min() == 0
    assert len(pictures(figure)) == 1 + len(chosen)
    assert "From step 50 to step 1,000" in progress.findings()


def test_rates_are_bars_from_high_to_low():
    axes = KLByDimension([0.5, 2.0, 0.0]).draw().axes[0]
    assert [bar.get_height() for bar in axes.patches] == [2.0, 0.5, 0.0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z₂", "z₁", "z₃"]
    assert KLByDimension([1.0] * 50).draw().axes[0].get_xlim() == (0.5, 50.5)
    assert axes.get_ylabel() == "KL, nats per example"
    assert "2 of 3 dimensions have more" in KLByDimension([0.5, 2.0, 0.0]).findings()
    assert len(KLByDimension([1.0] * 200).draw().axes[0].patches) == 200
