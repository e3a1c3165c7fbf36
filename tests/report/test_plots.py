import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from autoencode.contract import Sizes
from autoencode.errors import AutoencodeError, DataError
from autoencode.models.build import build
from autoencode.models.recipes.table import RECIPES
from autoencode.report import interpolate, plot, plot_latent, plot_reconstructed, show


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_plot_latent_names_the_labels(make, few):
    model = make("vae", (8, 8))
    figure = plot_latent(model, (few.test.x, few.test.y))
    assert legend(figure) == list(few.classes)
    named = plot_latent(model, (few.test.x[:4], ["cat", "dog", "cat", "cow"]))
    assert legend(named) == ["cat", "cow", "dog"]
    assert not plot_latent(model, few.test.x).legends


def test_a_class_keeps_its_colour_when_others_are_missing(make, few):
    model = make("ae", (8, 8))
    for wanted in ([0, 3], [2, 3]):
        chosen = torch.isin(few.test.y, torch.tensor(wanted))
        figure = plot_latent(model, (few.test.x[chosen], few.test.y[chosen]))
        assert figure.legends[0].legend_handles[1].get_color() == "#bd1f01"


def test_bytes_and_floats_are_the_same_images(make, few):
    model = make("ae", (8, 8))
    whole = (few.test.x * 255).round().byte()
    from_bytes = plot_latent(model, (whole.numpy(), few.test.y.numpy())).pixels(40)
    from_floats = plot_latent(model, (whole.float() / 255, few.test.y)).pixels(40)
    assert np.array_equal(from_bytes, from_floats)
    channels = plot_latent(model, (whole.unsqueeze(1), few.test.y)).pixels(40)
    assert np.array_equal(channels, from_bytes)


def test_notebooks_show_the_figure(make, few):
    image, size = plot_latent(make("ae", (8, 8)), few.test.x)._repr_png_()
    assert image.startswith(b"\x89PNG")
    assert size["width"] == 600


def test_plot_shows_originals_reconstructions_and_the_plane(glass):
    codes = torch.rand(40, 2)
    figure = plot(glass(), (glass.images(codes), torch.arange(40) % 2))
    left, right = figure.axes
    assert legend(figure) == ["0", "1"]
    assert "40 samples" in right.get_title(loc="left")
    sheet = np.asarray(left.images[0].get_array())
    side = int(sheet.shape[1] / (5 + 4 * 3 / 20))
    # The second row of a Glass image is the second number, in the original and in its copy.
    below = side + side // 20
    first = (codes[0] * 255).round().tolist()
    for top in (0, below):
        assert [sheet[top + y, side // 2, 0] for y in (side // 4, 3 * side // 4)] == first


@pytest.mark.long
def test_plot_of_a_single_sample(make):
    for latent in (1, 2, 5):
        assert plot(make("ae", (5, 9), latent), torch.rand(1, 5, 9)).pixels(20).std() > 0


def test_plot_reconstructed_covers_the_ranges(glass):
    figure = plot_reconstructed(glass(), r0=(0, 1), r1=(0.5, 0.75), n=5)
    (image,) = figure.axes[0].images
    sheet = np.asarray(image.get_array())
    side = len(sheet) // 5
    first = sheet[side // 4, side // 2 :: side, 0]
    second = sheet[3 * side // 4 :: side, side // 2, 0]
    assert first.tolist() == [0, 64, 128, 191, 255]
    assert (second / 255).tolist() == pytest.approx([0.75, 0.6875, 0.625, 0.5625, 0.5], abs=0.003)
    turned = plot_reconstructed(glass(), r0=(1, 0), r1=(0.75, 0.5), n=5)
    assert np.array_equal(turned.pixels(40), figure.pixels(40))


@pytest.mark.parametrize(("latent", "n"), [(1, 4), (2, 1), (5, 3)])
def test_plot_reconstructed_of_any_code(make, latent, n):
    figure = plot_reconstructed(make("ae", (6, 5), latent), n=n)
    assert figure.pixels(20).std() > 0
    assert ("all others 0" in figure.axes[0].get_xlabel()) == (latent > 2)


def test_plot_reconstructed_without_rows(make):
    with pytest.raises(AutoencodeError, match="at least one row"):
        plot_reconstructed(make("ae", (6, 5)), n=0)


def test_interpolate_between_two_images(glass):
    images = glass.images(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    figure = interpolate(glass(), images[0], images[1:], n=3)
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    places = [int(sheet.shape[1] * (i + 0.5) / 5) for i in range(5)]
    assert sheet[1, places, 0].tolist() == [0, 0, 128, 255, 255]
    assert sheet[-1, places, 0].tolist() == [255, 255, 128, 0, 0]


def test_what_has_no_meaning_is_refused(make, few):
    model = make("ae", (8, 8))
    with pytest.raises(DataError, match=r"120 samples, and the labels have shape \(119,\)"):
        plot_latent(model, (few.test.x, few.test.y[:-1]))
    with pytest.raises(DataError, match="shape"):
        plot(model, torch.rand(4, 9, 8))
    with pytest.raises(DataError, match=r"one example of shape \(8, 8\).*interpolate\(model"):
        interpolate(model, few.test.x[0], few.test.x[:2])
    with pytest.raises(AutoencodeError, match="n of 2 or more"):
        interpolate(model, few.test.x[0], few.test.x[1], n=1)


def test_a_prior_changes_nothing_here(glass):
    law = Independent(Normal(torch.zeros(2), 1.0), 1)
    images = glass.images(torch.rand(30, 2))
    plain, with_prior = (plot_latent(glass(prior), images).pixels(30) for prior in (None, law))
    assert np.array_equal(plain, with_prior)


def test_plot_reconstructed_of_a_conditional_model_shows_the_class_it_is_told():
    model = build(RECIPES["cvae"], Sizes((6, 5), (2,), context=3), seed=0)
    zero, one = (plot_reconstructed(model, n=3, context=label).pixels(40) for label in (0, 1))
    assert not np.array_equal(zero, one)
    with pytest.raises(DataError, match="labels"):
        plot_reconstructed(model, n=3)


@pytest.mark.parametrize("latent", [1, 2, 5])
def test_a_single_sample_is_large_beside_its_reconstruction(make, latent):
    model, x = make("ae", (8, 8), latent), torch.rand(1, 8, 8)
    figure = plot(model, x)
    left, right = figure.axes
    error = (model(x).images - x).square().sum().item()
    assert f"squared error {error:.3g}" in right.get_title(loc="left")
    assert ("code (" in left.get_title(loc="left")) == (latent < 5)
    assert np.asarray(left.images[0].get_array()).shape == (8, 8, 3)


def test_codes_of_more_dimensions_are_projected(make, few):
    model = make("ae", (8, 8), 5)
    figure = plot_latent(model, (few.test.x[:30], few.test.y[:30]), projection="tsne")
    assert figure.axes[0].get_xticks().size == 0
    assert legend(figure)
    with pytest.raises(AutoencodeError, match='no projection "mds"'):
        plot_latent(model, few.test.x, projection="mds")


@pytest.mark.parametrize("shape", [(7, 7), (3, 5, 7, 3), (1, 5, 5), (12, 3, 4, 6), (2, 1, 4, 4)])
def test_images_are_shown(shape):
    if shape == (3, 5, 7, 3):  # channels last
        with pytest.raises(DataError, match=r"shape"):
            show(torch.rand(2, 3, 5, 7, 3))
        return
    images = torch.rand(*shape)
    figure = show(images, columns=5)
    rows = -(-(1 if len(shape) == 2 else shape[0]) // 5)
    assert len(figure.axes[0].images) == rows
    with pytest.raises(DataError, match="titles"):
        show(images, titles=["a"] * 40)


def test_words_at_the_ends_stay_inside(make):
    figure = interpolate(make("ae", (8, 8)), torch.rand(8, 8), torch.rand(8, 8), n=20)
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 <= box.x1 <= width
