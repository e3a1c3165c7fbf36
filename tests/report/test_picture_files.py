import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.report import grid_picture, pairs_picture, save_picture, strip_picture


def test_small_images_are_enlarged_sharply():
    images = (torch.rand(10, 28, 28) > 0.5).float()
    picture = np.asarray(grid_picture(images))
    assert picture.shape == (3 * 112 + 2 * 4, 4 * 112 + 3 * 4, 3)
    tile = picture[:112, :112, 0]
    assert np.array_equal(tile, (images[0] * 255).byte().numpy().repeat(4, 0).repeat(4, 1))
    assert (picture[-112:, -112:] == 255).all()  # ten images do not fill three rows of four


def test_large_images_stay_as_they_are():
    image = torch.randint(0, 256, (1, 3, 150, 200), dtype=torch.uint8)
    assert np.array_equal(np.asarray(grid_picture(image)), image[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("shape", [(37, 53), (3, 37, 53), (1, 8, 8), (30,)])
def test_any_shape(shape):
    images = torch.rand(3, *shape)
    assert grid_picture(images, columns=7).width > grid_picture(images, columns=1).width
    assert strip_picture(images).width == grid_picture(images, columns=3).width
    assert pairs_picture(images, images).height > 2 * strip_picture(images).height


def test_pairs_have_the_original_above():
    originals, copies = torch.zeros(3, 8, 8), torch.ones(3, 8, 8)
    picture = np.asarray(pairs_picture(originals, copies, columns=2))
    assert picture[0, 0, 0] == 0
    assert picture[120, 0, 0] == 255
    with pytest.raises(DataError, match="3 originals and 2 reconstructions"):
        pairs_picture(originals, copies[:2])


def test_saved_and_read_again(tmp_path):
    picture = grid_picture(torch.rand(4, 8, 8))
    path = save_picture(picture, tmp_path / "a.PNG")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), np.asarray(picture))
    for name in ("a.webp", "a.jpg", "a.gif"):
        with Image.open(save_picture(picture, str(tmp_path / name))) as image:
            assert image.size == picture.size
    assert len(list(tmp_path.iterdir())) == 4


def test_what_cannot_be_written(tmp_path):
    picture = strip_picture(torch.rand(2, 8, 8))
    with pytest.raises(AutoencodeError, match=r'extension "\.doc".*\.png'):
        save_picture(picture, tmp_path / "a.doc")
    with pytest.raises(RunError, match=r"nowhere/a\.png cannot be written"):
        save_picture(picture, tmp_path / "nowhere" / "a.png")
    with pytest.raises(DataError, match="no images"):
        grid_picture(torch.zeros(0, 8, 8))
    assert not list(tmp_path.iterdir())
