import torch

from autoencode.explore import normal_like, uniform_like


def test_in_box_fills_the_box():
    generator = torch.Generator().manual_seed(0)
    codes = torch.tensor([[0.0, -1.0], [2.0, 5.0], [1.0, 0.0]])
    drawn = uniform_like(codes, 5000, generator)
    assert drawn.shape == (5000, 2)
    low, high = drawn.amin(0), drawn.amax(0)
    assert (low >= torch.tensor([0.0, -1.0])).all()
    assert (high <= torch.tensor([2.0, 5.0])).all()
    torch.testing.assert_close(high - low, torch.tensor([2.0, 6.0]), rtol=0.01, atol=0)


def test_like_has_the_mean_and_covariance_of_the_codes():
    generator = torch.Generator().manual_seed(0)
    mix = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.3, 0.0]]).T
    codes = torch.randn(400, 3, generator=generator) @ mix + torch.tensor([3.0, -1.0])
    drawn = normal_like(codes, 20_000, generator)
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), codes.T.cov(), atol=0.03, rtol=0.03)


def test_like_of_one_code_is_that_code():
    generator = torch.Generator().manual_seed(0)
    code = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(normal_like(code, 3, generator), code.expand(3, 2))
