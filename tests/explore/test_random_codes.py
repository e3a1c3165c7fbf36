import torch

from autoencode.explore import in_class, uniform_like


def test_in_box_fills_the_box():
    generator = torch.Generator().manual_seed(0)
    codes = torch.tensor([[0.0, -1.0], [2.0, 5.0], [1.0, 0.0]])
    drawn = uniform_like(codes, 5000, generator)
    assert drawn.shape == (5000, 2)
    low, high = drawn.amin(0), drawn.amax(0)
    assert (low >= torch.tensor([0.0, -1.0])).all()
    assert (high <= torch.tensor([2.0, 5.0])).all()
    torch.testing.assert_close(high - low, torch.tensor([2.0, 6.0]), rtol=0.01, atol=0)


def test_codes_in_a_class_are_near_its_codes():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(300, 2, generator=generator)
    labels = (codes[:, 0] > 0).long()
    z, kept = in_class(codes, labels, 1, 100, generator)
    assert z.shape == (100, 2)
    assert torch.cdist(z, codes[labels == 1]).amin(1).max() < 1
    assert kept > 0.8


def test_codes_of_one_example_are_that_code():
    generator = torch.Generator().manual_seed(0)
    code = torch.tensor([[1.0, 2.0]])
    z, _ = in_class(code, torch.zeros(1).long(), 0, 3, generator)
    torch.testing.assert_close(z, code.expand(3, 2))
