"""Damaged archives: .zip, .tar and its compressions, with images, arrays or CIFAR's records."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from autoencode.data import load_data

pytestmark = pytest.mark.long

RANDOM = np.random.default_rng(0)


def image(ending):
    file = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
    Image.fromarray(RANDOM.integers(0, 256, (6, 8), np.uint8)).save(file, kind)
    return file.getvalue()


IMAGES = {
    f"{part}/{name}/{i}.{ending}": image(ending)
    for part in ("train", "test")
    for name in "ab"
    for i, ending in enumerate(("png", "jpg", "bmp", "gif", "tif"))
}


def zipped(method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in IMAGES.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(mode, files, kind=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=kind) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def cifar():
    records = RANDOM.integers(0, 256, (6, 3073), np.uint8)
    records[:, 0] %= 10
    return {f"cifar/{name}.bin": records.tobytes() for name in ("data_batch_1", "test_batch")}


FIELDS = (
    *(b"7" * 12, b"\xff" * 12, b"\x80" + b"\x7f" * 11, b"\xff\xfe " * 4, b"\0" * 12),
    *(b"L", b"K", b"x", b"g", b"S", b"1", b"5", b"\1" * 13),
)


@st.composite
def tar_headers(draw):
    """A .tar archive whose headers have right checksums and wrong fields."""
    blocks = []
    for name, content in draw(st.permutations(list(IMAGES.items())))[:6]:
        info = tarfile.TarInfo(name * draw(st.sampled_from((1, 1, 30))))
        info.size = len(content)
        header = bytearray(
            info.tobuf(draw(st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))))
        )
        place, width = draw(st.sampled_from(((124, 12), (156, 1), (345, 155), (257, 8), (482, 13))))
        value = draw(st.sampled_from(FIELDS))
        last = header[-512:]
        last[place : place + width] = value[:width].ljust(width, b"\0")
        last[148:156] = b" " * 8
        last[148:156] = b"%06o\0 " % sum(last)
        blocks.append(bytes(header[:-512]) + bytes(last) + content + bytes(-len(content) % 512))
    return b"".join(blocks) + bytes(draw(st.sampled_from((0, 1024, 512 * 40))))


def reader(path, **options):
    def read(content):
        path.write_bytes(content)
        load_data(path, **options)

    return read


SKIP = {"on_bad": "skip", "max_bad": 1.0}


@pytest.mark.parametrize("options", [{}, SKIP], ids=["fail", "skip"])
@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_zip_archives(fuzz, damaged, tmp_path, method, options):
    fuzz(damaged(zipped(method)), reader(tmp_path / "x.zip", **options), examples=15)


@pytest.mark.parametrize("options", [{}, SKIP], ids=["fail", "skip"])
@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_damaged_tar_archives(fuzz, damaged, tmp_path, mode, options):
    content = tarred(mode, IMAGES, tarfile.GNU_FORMAT if mode == "w:" else tarfile.PAX_FORMAT)
    fuzz(damaged(content), reader(tmp_path / "x.tar", **options), examples=15)


def test_tar_archives_with_hostile_headers(fuzz, tmp_path):
    fuzz(tar_headers(), reader(tmp_path / "x.tar", **SKIP))


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_damaged_archives_of_cifar(fuzz, damaged, tmp_path, mode):
    fuzz(damaged(tarred(mode, cifar())), reader(tmp_path / "x.tar.gz"))
