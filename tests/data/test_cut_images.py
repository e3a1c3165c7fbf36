"""Images that are cut off: each format and mode is refused by its name, or skipped."""

import io
import zipfile

import numpy as np
import pytest
import tifffile
from PIL import Image

from autoencode.data import load_data
from autoencode.data.check import check_source
from autoencode.errors import DataError

pytestmark = pytest.mark.long

COLOUR = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))
KINDS = [
    *(("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    *(("gif", mode) for mode in ("1", "L", "P", "RGB")),
    *(("bmp", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *(("jpg", mode) for mode in ("L", "RGB", "CMYK")),
    *(("tif", mode) for mode in ("1", "L", "P", "RGB", "F", "I;16", "deep")),
    *(("webp", mode) for mode in ("RGB", "RGBA")),
    *(("ppm", mode) for mode in ("1", "L", "RGB")),
]


def written(ending, mode):
    file = io.BytesIO()
    if mode == "deep":
        tifffile.imwrite(file, np.random.default_rng(0).random((40, 30)))
    else:
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
        COLOUR.convert(mode).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    for i in range(9):
        COLOUR.rotate(180 * i).save(tmp_path / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("ending", "mode"), KINDS)
def test_images_that_are_cut_off_are_refused_by_name_or_skipped(folder, ending, mode, share):
    content = written(ending, mode)
    path = folder / f"cut.{ending}"
    path.write_bytes(content[: int(len(content) * share)])
    for source in (folder, path):
        with pytest.raises(DataError) as caught:
            load_data(source)
        text = str(caught.value)
        assert text.startswith(f"{path} cannot be used: it is "), text
        assert "None" not in text
        assert "\n" not in text
    assert [bad.path for bad in check_source(folder).bad_files] == [str(path)]
    data = load_data(folder, on_bad="skip", max_bad=0.2)
    assert len(data.train) + len(data.validation) + len(data.test) == 9
    assert any("1 of 10 files" in notice and str(path) in notice for notice in data.notices)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for each in [*folder.glob("?.png"), path]:
            archive.write(each, each.name)
    with pytest.raises(DataError, match=f"all.zip/cut.{ending} cannot be used"):
        load_data(folder / "all.zip")
