import pytest
import torch
from sklearn.decomposition import PCA

from autoencode.errors import AutoencodeError
from autoencode.explore import code_plane


def test_two_numbers_are_their_own_plane():
    codes = torch.randn(50, 2) * torch.tensor([2.0, 1.0]) + 7
    plane = code_plane(codes)
    assert plane.complete
    assert torch.equal(plane.project(codes), codes)
    assert torch.equal(plane.lift(codes), codes)
    assert sum(plane.share) == pytest.approx(1)


def test_more_numbers_are_seen_on_the_plane_of_pca():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=generator)
    codes = torch.randn(400, 6, generator=generator) @ mixing + 3
    plane = code_plane(codes)
    reference = PCA(2).fit(codes.double().numpy())
    assert not plane.complete
    assert plane.share == pytest.approx(reference.explained_variance_ratio_, rel=1e-4)
    axes = torch.from_numpy(reference.components_).float()
    torch.testing.assert_close((plane.axes * axes).sum(1).abs(), torch.ones(2))
    assert (plane.axes.gather(1, plane.axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_points_of_the_plane_come_back():
    plane = code_plane(torch.randn(40, 5))
    points = torch.randn(7, 2)
    torch.testing.assert_close(plane.project(plane.lift(points)), points, atol=1e-5, rtol=1e-4)


def test_codes_in_one_place_still_have_a_plane():
    plane = code_plane(torch.ones(5, 3))
    assert plane.project(torch.ones(5, 3)).abs().max() == 0
    assert plane.share == (0, 0)


def test_one_number_has_no_plane():
    with pytest.raises(AutoencodeError, match="two or more latent dimensions"):
        code_plane(torch.zeros(5, 1))
