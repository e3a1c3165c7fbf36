import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from autoencode.errors import DataError
from autoencode.evaluation import psnr, squared_error, ssim

SHAPES = [(28, 28), (37, 53), (3, 32, 32), (1, 11, 11), (2, 40, 12)]


def pair(shape: tuple[int, ...], count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, *shape, generator=generator)
    y = (x + 0.2 * torch.randn(count, *shape, generator=generator)).clamp(0, 1)
    return x, y


def their_ssim(x: Tensor, y: Tensor) -> float:
    return structural_similarity(
        x.double().numpy(),
        y.double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0 if x.dim() == 3 else None,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_that_of_skimage(shape):
    x, y = pair(shape)
    theirs = [their_ssim(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y).numpy(), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("level", "contrast"),
    [(0.999, 1e-3), (0.5, 1e-4), (0.0, 1e-3), (0.3, 0.7)],
    ids=["bright and flat", "grey and flatter", "dark and flat", "of full contrast"],
)
def test_ssim_keeps_its_digits_where_float32_would_lose_them(level, contrast):
    generator = torch.Generator().manual_seed(0)
    x = level + contrast * torch.rand(3, 28, 28, generator=generator).round()
    y = level + contrast * torch.rand(3, 28, 28, generator=generator)
    theirs = [their_ssim(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y).numpy(), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "size"), [((8, 8), 7), ((10, 30), 9), ((2, 9), 1), ((3, 5, 4), 3)]
)
def test_ssim_of_a_small_image_has_the_largest_odd_window_that_fits(shape, size):
    x, y = pair(shape, count=1)
    places = np.arange(size) - size // 2
    window = np.exp(-(places[:, None] ** 2 + places[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for a, b in zip(x.reshape(-1, *shape[-2:]), y.reshape(-1, *shape[-2:]), strict=True):
        for row in range(shape[-2] - size + 1):
            for column in range(shape[-1] - size + 1):
                cut = slice(row, row + size), slice(column, column + size)
                p, q = a[cut].double().numpy(), b[cut].double().numpy()
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                found.append(
                    (2 * mp * mq + 1e-4)
                    * (2 * cov + 9e-4)
                    / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4))
                )
    assert ssim(x, y).item() == pytest.approx(np.mean(found), abs=1e-5)


def test_an_image_is_like_itself():
    x, _ = pair((3, 12, 17))
    assert squared_error(x, x).tolist() == [0, 0, 0, 0]
    assert psnr(x, x).tolist() == [100, 100, 100, 100]
    torch.testing.assert_close(ssim(x, x), torch.ones(4))


@pytest.mark.parametrize("shape", [*SHAPES, (30,)])
def test_squared_error_and_psnr_by_hand(shape):
    x, y = pair(shape)
    a, b = x.double().numpy(), y.double().numpy()
    axes = tuple(range(1, a.ndim))
    np.testing.assert_allclose(squared_error(x, y).numpy(), ((a - b) ** 2).sum(axes), rtol=1e-5)
    theirs = [peak_signal_noise_ratio(p, q, data_range=1) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(x, y).numpy(), theirs, rtol=1e-5)


def test_bytes_are_scaled_and_never_wrap():
    black, white = torch.zeros(1, 5, 5, dtype=torch.uint8), torch.full((1, 5, 5), 255).byte()
    assert squared_error(black, white).item() == 25
    assert psnr(black, white).item() == 0
    assert ssim(black, white).item() == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-5)


def test_half_precision_is_computed_in_float32():
    x, y = (image.half() for image in pair((28, 28)))
    assert squared_error(x, y).dtype == torch.float32
    torch.testing.assert_close(ssim(x, y), ssim(x.float(), y.float()), rtol=0, atol=0)


@pytest.mark.parametrize("measure", [squared_error, psnr, ssim])
def test_shapes_that_would_broadcast_are_refused(measure):
    with pytest.raises(DataError, match=r"one shape.*\(4, 28, 28\) and \(4, 1, 28, 28\)"):
        measure(torch.zeros(4, 28, 28), torch.zeros(4, 1, 28, 28))


@pytest.mark.parametrize("measure", [squared_error, psnr, ssim])
def test_integers_are_refused(measure):
    with pytest.raises(DataError, match=r"uint8 .*torch.int64"):
        measure(torch.zeros(4, 28, 28).long(), torch.zeros(4, 28, 28))


def test_vectors_have_no_ssim():
    with pytest.raises(DataError, match=r"compares images.*\(4, 30\)"):
        ssim(torch.zeros(4, 30), torch.zeros(4, 30))


def test_psnr_is_finite_below_its_bound():
    x = torch.zeros(1, 100, dtype=torch.float64)
    assert psnr(x, x + 1e-6).item() == pytest.approx(100)
    assert psnr(x, x + 1e-4).item() == pytest.approx(-10 * math.log10(1e-8))
