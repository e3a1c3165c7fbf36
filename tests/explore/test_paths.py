import math

import pytest
import torch

from autoencode.contract import Space
from autoencode.errors import AutoencodeError
from autoencode.explore import interpolate, lattice, neighbours, traverse

S = math.sqrt(0.5)


@pytest.mark.parametrize("space", [Space.REAL, Space.BOX])
def test_straight_in_real_and_box(space):
    z = interpolate(torch.tensor([0.0, 4.0]), torch.tensor([1.0, 0.0]), 5, space)
    assert z.tolist() == [[0, 4], [0.25, 3], [0.5, 2], [0.75, 1], [1, 0]]


def test_keeps_the_shape_of_a_code():
    z_1, z_2 = torch.randn(3, 2, 2), torch.randn(3, 2, 2)
    for space in (Space.REAL, Space.SPHERE):
        assert interpolate(z_1, z_2, 7, space).shape == (7, 3, 2, 2)


def test_whole_numbers_have_codes_between_them():
    assert interpolate(torch.tensor([0]), torch.tensor([1]), 3, Space.REAL).tolist() == [
        [0],
        [0.5],
        [1],
    ]


def test_on_the_sphere_the_middle_of_a_right_angle_is_at_45_degrees():
    z = interpolate(torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), 3, Space.SPHERE)
    torch.testing.assert_close(z, torch.tensor([[1.0, 0, 0], [S, S, 0], [0, 1, 0]]))


def test_on_the_sphere_steps_are_equal_and_stay_on_it():
    a, b = torch.nn.functional.normalize(torch.randn(2, 5, dtype=torch.float64), dim=1)
    z = interpolate(a, b, 9, Space.SPHERE)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(9, dtype=torch.float64))
    torch.testing.assert_close(z[0], a)
    torch.testing.assert_close(z[-1], b)
    steps = (z[1:] * z[:-1]).sum(1).clamp(-1, 1).acos()
    torch.testing.assert_close(steps, torch.full_like(steps, (a @ b).acos().item() / 8))


def test_identical_points_of_a_sphere_stay_where_they_are():
    a = torch.nn.functional.normalize(torch.randn(4), dim=0)
    z = interpolate(a, a.clone(), 6, Space.SPHERE)
    torch.testing.assert_close(z, a.expand(6, 4))


@pytest.mark.parametrize("d", [2, 3, 30])
def test_opposite_points_of_a_sphere_are_joined_by_half_a_great_circle(d):
    a = torch.nn.functional.normalize(torch.arange(1.0, d + 1), dim=0)
    z = interpolate(a, -a, 5, Space.SPHERE)
    torch.testing.assert_close(z[[0, -1]], torch.stack([a, -a]))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(z @ a, torch.tensor([1, S, 0, -S, -1]), atol=1e-6, rtol=0)
    assert torch.equal(z, interpolate(a, -a, 5, Space.SPHERE))


def test_nearly_opposite_points_lose_no_digits():
    a = torch.tensor([1.0, 0.0])
    b = torch.tensor([-1.0, 1e-4])
    z = interpolate(a, b, 3, Space.SPHERE)
    torch.testing.assert_close(z[1], torch.tensor([5e-5, 1.0]), atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("z_1", "z_2", "n", "space", "word"),
    [
        (torch.zeros(2), torch.zeros(2), 1, Space.REAL, "n of 2 or more"),
        (torch.zeros(2), torch.zeros(3), 4, Space.REAL, r"\[2\] and \[3\]"),
        (torch.zeros(2), torch.zeros(2), 4, Space.CODES, "code book"),
        (torch.tensor([1.0]), torch.tensor([-1.0]), 4, Space.SPHERE, "two points"),
    ],
)
def test_ways_that_do_not_exist(z_1, z_2, n, space, word):
    with pytest.raises(AutoencodeError, match=word):
        interpolate(z_1, z_2, n, space)


def test_lattice_reads_like_a_page_with_y_upwards():
    points = lattice((-1, 0), (1, 4), 3)
    assert points.shape == (9, 2)
    assert points[0].tolist() == [-1, 4]  # top left
    assert points[2].tolist() == [1, 4]  # top right
    assert points[6].tolist() == [-1, 0]  # bottom left
    assert points[4].tolist() == [0, 2]  # middle


def test_lattice_of_no_rows():
    with pytest.raises(AutoencodeError, match="at least one row"):
        lattice((0, 0), (1, 1), 0)


def test_traverse_changes_one_number_only():
    z = torch.arange(4.0).view(2, 2)
    codes = traverse(z, 2, [-1.0, 9.0])
    assert codes.tolist() == [[[0, 1], [-1, 3]], [[0, 1], [9, 3]]]
    assert z.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("dimension", [-1, 4])
def test_traverse_along_a_number_that_is_not_there(dimension):
    with pytest.raises(AutoencodeError, match=f"no dimension {dimension}.*0 to 3"):
        traverse(torch.zeros(4), dimension, [0.0])


def test_neighbours_are_nearest_first_and_ties_in_order():
    codes = torch.tensor([[3.0, 0], [1, 0], [0, 1], [0, 0.5], [9, 9]])
    assert neighbours(torch.zeros(2), codes, 4).tolist() == [3, 1, 2, 0]


def test_neighbours_of_codes_with_a_shape():
    codes = torch.randn(20, 3, 2)
    found = neighbours(codes[7], codes, 20)
    assert found[0] == 7
    distances = torch.tensor([(codes[i] - codes[7]).square().sum() for i in found])
    assert (distances.diff() >= 0).all()


def test_more_neighbours_than_codes():
    with pytest.raises(AutoencodeError, match="from 1 to 3"):
        neighbours(torch.zeros(2), torch.zeros(3, 2), 4)
    with pytest.raises(AutoencodeError, match="shape"):
        neighbours(torch.zeros(3), torch.zeros(3, 2), 1)
