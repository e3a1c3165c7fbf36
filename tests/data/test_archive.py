"""Archives of images are read like the folders in them."""

import io
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from autoencode.data import check_source, load_data
from autoencode.errors import DataError, ResourceError


def packed(folder, path, top="", compression=zipfile.ZIP_DEFLATED):
    """The folder as .zip or .tar, by the name of the path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    names = {file: top + file.relative_to(folder).as_posix() for file in files}
    if ".zip" in path.name:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for file, name in names.items():
                archive.write(file, name)
    else:
        with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '').replace('t', '')}") as tar:
            for file, name in names.items():
                tar.add(file, name)
    return path


@pytest.fixture
def divided(tmp_path, picture):
    for part in ("train", "test"):
        for name in "ab":
            for i in range(6):
                picture(tmp_path / "src" / part / name / f"{i}.png")
    return tmp_path / "src"


@pytest.mark.parametrize(
    "name", ["x.zip", "x.ZIP.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"]
)
def test_an_archive_gives_what_its_folder_gives(divided, tmp_path, name):
    own, data = load_data(divided), load_data(packed(divided, tmp_path / name))
    assert data.fingerprint == own.fingerprint
    assert data.notices == own.notices
    assert data.classes == own.classes
    assert data.test.names == own.test.names
    assert data.train.names == own.train.names
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_of_zip(images, tmp_path, compression):
    path = packed(images, tmp_path / "x.zip", "photos/", compression)
    data = load_data(path)
    assert data.fingerprint == load_data(images).fingerprint
    assert data.name == "x"
    assert data.train.names[0].startswith("photos/a/")
    assert data.notices == ("All images are in the folder photos; its folders are the classes.",)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_archives_read_with_the_options_of_folders(divided, tmp_path, name):
    path = packed(divided, tmp_path / name, "top/")
    assert load_data(path, ignore="b", no_labels=True).classes == ()
    swapped = load_data(path, train_dir="top/test", test_dir="top/train")
    assert len(swapped.test) == 12
    assert swapped.test.names[0] == "top/train/a/0.png"
    labels = tmp_path / "y.csv"
    rows = [f"{n},k{i % 3}" for i, n in enumerate(sorted(map(str, divided.rglob("*.png"))))]
    labels.write_text("\n".join(["file,label", *rows]).replace(str(divided), "top"))
    assert load_data(path, labels=labels).classes == ("k0", "k1", "k2")
    mapped = load_data(path, memory="map")
    assert mapped.fingerprint == load_data(path).fingerprint
    assert load_data(path, memory="map", group="[ab]/[0-2]|[ab]/.").train.mapped


def test_leftovers_in_an_archive_are_passed_over(images, tmp_path):
    path = packed(images, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/a/._0.png", "a/.hidden/x.png", "Thumbs.db", "a/.x.png"):
            archive.writestr(name, "no image")
        archive.writestr("notes.txt", "text")
        archive.mkdir("empty")
    data = load_data(path)
    assert data.fingerprint == load_data(images).fingerprint
    assert data.notices == ("1 file was not read: 1 .txt.",)


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "\\x.png", "..\\x.png"])
def test_paths_that_lead_out_of_an_archive_are_refused(images, tmp_path, name):
    path = packed(images, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, (images / "a" / "0.png").read_bytes())
    with pytest.raises(DataError, match="its path leads out of the archive"):
        load_data(path)
    assert len(load_data(path, on_bad="skip", max_bad=0.1).train.names) > 10
    assert not (tmp_path / "x.png").exists()


def test_backslashes_separate_folders(images, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for file in images.rglob("*.png"):
            archive.writestr(f"{file.parent.name}\\{file.name}", file.read_bytes())
    assert load_data(tmp_path / "x.zip").fingerprint == load_data(images).fingerprint


@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
def test_an_entry_that_is_too_large_is_not_unpacked(images, tmp_path, name, monkeypatch):
    path = packed(images, tmp_path / name)
    monkeypatch.setattr("autoencode.data.read.archive.MAX_BYTES", 1_500_000)
    size = 2_000_000
    if name == "x.zip":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/bomb.png", bytes(size))
    else:
        with tarfile.open(path, "a") as archive:
            info = tarfile.TarInfo("a/bomb.png")
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
    with pytest.raises(DataError, match=r"a/bomb\.png cannot be used: it needs 2 MB unpacked"):
        load_data(path)


def test_bombs_of_pixels_are_refused_by_their_header(images, tmp_path, png_header):
    png_header(images / "a" / "bomb.png", (20_000, 20_000))
    with pytest.raises(DataError, match="50 million pixels"):
        load_data(packed(images, tmp_path / "x.zip"))


def test_encrypted_archives_are_refused(images, tmp_path):
    path = packed(images, tmp_path / "x.zip")
    content = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(sign)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(sign, at + 4)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.zip is encrypted. Unpack it"):
        load_data(path)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tar"])
@pytest.mark.parametrize("keep", [0, 0.3, 0.6])
def test_archives_that_are_cut_off_are_refused(images, tmp_path, name, keep):
    path = packed(images, tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match=r"x\.(zip|tar)"):
        load_data(path)


def test_a_flipped_byte_is_found_by_the_checksum(images, tmp_path):
    path = packed(images, tmp_path / "x.zip", compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    at = content.find(b"IDAT") + 20
    content[at] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"0\.png cannot be used: it is damaged in the archive"):
        load_data(path)
    assert len(check_source(path).bad_files) == 1


def test_links_in_a_tar_are_not_followed(images, tmp_path):
    path = packed(images, tmp_path / "x.tar")
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("a/link.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match=r"a/link\.png cannot be used: it is not a regular file"):
        load_data(path)


def test_arrays_in_a_zip_of_any_name_stay_arrays(tmp_path):
    x = np.random.default_rng(0).random((20, 3))
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(20) % 2)
    shutil.copy(tmp_path / "x.npz", tmp_path / "x.zip")
    data = load_data(tmp_path / "x.zip")
    assert data.fingerprint == load_data(tmp_path / "x.npz").fingerprint
    assert data.classes == ("0", "1")


def test_an_archive_without_images_says_what_it_contains(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", "text")
        archive.writestr("b/c.csv", "1,2")
    with pytest.raises(
        DataError, match=r"contains no images; 2 files were not read: 1 \.txt, 1 \.csv"
    ):
        load_data(tmp_path / "x.zip")


def test_a_tar_larger_than_memory_is_refused_with_a_remedy(images, tmp_path, monkeypatch):
    path = packed(images, tmp_path / "x.tar.gz")
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 1500)
    with pytest.raises(ResourceError, match=r"x\.tar\.gz needs .* Unpack it"):
        load_data(path)


@pytest.mark.parametrize("name", ["", "/", "./", "\\", "//.//"])
def test_entries_without_a_name_are_passed_over(images, tmp_path, name):
    path = packed(images, tmp_path / "x.zip")
    whole = load_data(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("one"), b"content")
        archive.infolist()[-1].filename = name  # as it is written into the list of entries
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[-1] == name
    found = load_data(path)
    assert torch.equal(found.train.x, whole.train.x)


def test_a_zip_with_the_same_name_twice_is_refused(images, tmp_path):
    path = packed(images, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.write(images / "b" / "0.png", "a/0.png")
    with pytest.raises(DataError, match="contains it twice"):
        load_data(path)
