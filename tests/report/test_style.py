import itertools
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000

import autoencode.report
from autoencode.report.formatting import duration, short
from autoencode.report.images import enlarge, montage, pairs, squarer, tiles
from autoencode.report.style import STYLE, colours, names, new_figure, styled

# How people see: all cones, or one kind missing (Machado and others, 2009), on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.9503]]
)


def lab(linear):
    share = TO_XYZ @ np.clip(linear, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_ten_colours_stay_apart_for_everyone(sight):
    rgb = np.array([to_rgb(colour) for colour in [*colours(10), "#ffffff"]])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = [lab(np.array(SIGHT[sight]) @ each) for each in linear]
    white = seen.pop()
    assert min(deltaE_ciede2000(a, b) for a, b in itertools.combinations(seen, 2)) > 11
    assert min(deltaE_ciede2000(a, white) for a in seen) > 10


def test_thirty_classes_have_thirty_colours():
    assert len(set(colours(30))) == 30
    assert colours(30)[:10] == colours(10)


def test_names_that_fit():
    given = ["cat", "ankle boot, left or right", "猫", "", "a\nb"]
    assert names(given) == ["cat", "ankle boot, l…", "class 2", "class 3", "a b"]


def test_names_with_dollars_are_no_formulas():
    with styled():
        figure = new_figure()
        text = figure.text(0.5, 0.5, "$a and b$")
    assert not text.get_parse_math()


def test_a_dark_style_of_the_users_changes_nothing():
    def pixels():
        with styled():
            figure = new_figure(2, 2, fitted=True)
            axes = figure.add_subplot()
            axes.plot([-1, 2])
            axes.set_title("title")
        return figure.pixels(60)

    plain = pixels()
    before = dict(matplotlib.rcParams)
    dark = {"text.color": "white", "axes.facecolor": "black", "xtick.color": "red"}
    drawn_late = {"xtick.labelsize": 20, "axes.unicode_minus": False}
    with matplotlib.rc_context({**dark, **drawn_late, "lines.linewidth": 9}):
        assert np.array_equal(pixels(), plain)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.rcParams["text.parse_math"] != STYLE["text.parse_math"]


def test_no_pyplot():
    for path in Path(autoencode.report.__file__).parent.rglob("*.py"):
        assert not re.search(r"import.*pyplot|\bplt\.", path.read_text(encoding="utf-8"))


def test_grey_and_colour_as_they_are():
    grey = tiles(torch.tensor([[[0.0, 0.5], [1.0, 2.0]]]), kind=2)
    assert grey.shape == (1, 2, 2, 3)
    assert grey[0, :, :, 0].tolist() == [[0, 128], [255, 255]]
    colour = tiles(torch.tensor([1.0, 0.0, 0.5]).view(1, 3, 1, 1), kind=3)
    assert colour.tolist() == [[[[255, 0, 128]]]]


def test_transparent_is_white_and_other_channels_are_averaged():
    clear = tiles(torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1), kind=3)
    assert clear.tolist() == [[[[255, 255, 255]]]]
    five = tiles(torch.tensor([0.0, 0, 0, 0, 1]).view(1, 5, 1, 1), kind=3)
    assert five.tolist() == [[[[51, 51, 51]]]]


def test_what_is_not_a_number_is_black():
    assert tiles(torch.tensor([[[float("nan")]]]), kind=2).max() == 0


@pytest.mark.parametrize("d", [1, 7, 64, 784])
def test_vectors_become_profiles(d):
    low, high = tiles(torch.stack([torch.zeros(d), torch.ones(d)]), kind=1)[:, 1:-1, 1:-1]
    assert 40 <= low.shape[1] <= 80
    assert (low == low[0, 0]).all()
    assert (high == high[0, 0]).all()
    assert (low != high).all()
    half = tiles(torch.full((1, d), 0.5), kind=1)[0, 1:-1, 1:-1]
    assert np.array_equal(half[:20], low[:20])
    assert np.array_equal(half[20:], high[20:])


def test_montage_in_reading_order():
    pictures = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3)
    sheet = montage(pictures, columns=2, gap=1)[..., 0]
    assert sheet.tolist() == [[0, 255, 1], [255, 255, 255], [2, 255, 255]]


def test_pixels_become_squares():
    picture = np.array([[[[0] * 3, [7] * 3]]], np.uint8)
    assert enlarge(picture, 2)[0, :, :, 0].tolist() == [[0, 0, 7, 7], [0, 0, 7, 7]]
    assert pairs(picture, picture + 1, gap=1)[0, :, :, 0].tolist() == [[0, 7], [255, 255], [1, 8]]


@pytest.mark.parametrize(
    ("shape", "seen"), [((5, 90), (50, 90)), ((90, 5), (90, 50)), ((8, 9), (8, 9))]
)
def test_long_pictures_are_made_squarer(shape, seen):
    picture = np.zeros((2, *shape, 3), np.uint8)
    padded = squarer(picture, 1.8)
    assert padded.shape == (2, *seen, 3)
    assert (padded == 0).sum() == picture.size


def test_numbers_as_people_read_them():
    assert [short(v) for v in (31.074, 0.0398, -0.5, 12345.6)] == [
        "31.1",
        "0.0398",
        "−0.500",
        "12,346",
    ]
    assert [duration(s) for s in (3.21, 31.1, 120, 150, 7260)] == [
        "3.2 s",
        "31 s",
        "2 min",
        "2 min 30 s",
        "2 h 1 min",
    ]
