"""What a compiled step computes instead of a library's products and convolutions."""

import pytest
import torch

from autoencode.train.compile import products


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kernel", [(3, 3), (4, 4), (1, 1), (5, 2), (2, 3)])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_convolutions_are_torchs(transposed, kernel, stride, padding):
    if padding >= min(kernel):
        pytest.skip("no such layer")
    torch.manual_seed(0)
    x = torch.randn(3, 4, 9, 8, dtype=torch.float64)
    w = torch.randn(*((4, 5) if transposed else (5, 4)), *kernel, dtype=torch.float64)
    bias = torch.randn(5, dtype=torch.float64)
    extra = 1 if transposed else 0
    rest = ([stride] * 2, [padding] * 2, [1, 1], transposed, [extra] * 2, 1)
    expected = torch.ops.aten.convolution(x, w, bias, *rest)
    torch.testing.assert_close(products._convolution(x, w, bias, *rest), expected)
    g = torch.randn_like(expected)
    wanted = [True, True, True]
    torch.testing.assert_close(
        products._convolution_backward(g, x, w, [5], *rest, wanted),
        torch.ops.aten.convolution_backward(g, x, w, [5], *rest, wanted),
    )


@pytest.mark.parametrize(
    ("channels", "stride", "groups"), [((4, 5), 1, 1), ((64, 64), 2, 1), ((4, 4), 2, 2)]
)
def test_other_convolutions_are_left_to_the_library(channels, stride, groups):
    x, w = torch.rand(2, channels[0], 8, 8), torch.rand(channels[1], channels[0] // groups, 3, 3)
    rest = ([stride] * 2, [1, 1], [1, 1], False, [0, 0], groups)
    g = torch.ops.aten.convolution(x, w, None, *rest)
    assert products._convolution(x, w, None, *rest) is NotImplemented
    found = products._convolution_backward(g, x, w, None, *rest, [True, True, False])
    assert found is NotImplemented


@pytest.mark.parametrize("sides", [(50, 60, 2), (50, 2, 60), (2, 60, 50), (3, 3, 3), (7, 8, 9)])
def test_thin_products_are_torchs(sides):
    torch.manual_seed(0)
    a, b = torch.randn(sides[0], sides[1]), torch.randn(sides[2], sides[1]).t()
    c = torch.randn(sides[2])
    torch.testing.assert_close(products._addmm(c, a, b), torch.addmm(c, a, b))
    found = products._mm(a, b)
    if min(sides) > products.MAX_THIN:
        assert found is NotImplemented
    else:
        torch.testing.assert_close(found, a @ b)
